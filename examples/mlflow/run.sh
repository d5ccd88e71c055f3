#!/bin/sh
# Train, evaluate, register, refuse, mend, promote, roll back; against an MLflow server of its own, in this folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export MLFLOW_TRACKING_URI="http://127.0.0.1:$port" MLFLOW_DISABLE_TELEMETRY=true
export SHOWCAUSE_POLICY="$here/showcause.toml" SHOWCAUSE_TRUST="$PWD/showcause-trust.toml"
say() { printf '\n--- %s\n' "$*"; }
promote() { showcause promote "$@" --policy "$SHOWCAUSE_POLICY"; }
must_fail() { if "$@"; then echo "this must have been refused" >&2; exit 1; fi; }

say "who may break the glass, and a server that holds every alias to the policy"
showcause key create oncall 2>/dev/null | sed 's/"reviewer"/"oncall"/' > showcause-trust.toml
printf '\n[aliases.champion]\nbreak_glass = ["oncall"]\n' >> showcause-trust.toml
mlflow server --app-name showcause --host 127.0.0.1 --port "$port" --workers 1 \
  --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./artifacts > server.log 2>&1 &
server=$!
trap 'kill "$server" && wait "$server" || true' EXIT
python "$here/wait.py" "$MLFLOW_TRACKING_URI/health"

say "version 1: trained, evaluated, registered, promoted"
python "$here/train.py" 1
promote models:/credit/1

say "version 2 is more accurate, and refused: by the gate here, and by the server whoever asks"
python "$here/train.py" 2
must_fail promote models:/credit/2
must_fail python -c 'import mlflow; mlflow.MlflowClient().set_registered_model_alias("credit", "champion", "2")' 2> direct.log
tail -n 1 direct.log

say "version 3: mended, and promoted"
python "$here/train.py" 3
promote models:/credit/3
showcause diff models:/credit/1 models:/credit/3 --no-policy --format html --out diff.html || true

say "rolled back at once, by somebody who answers for it"
showcause promote models:/credit/1 --break-glass --reason "version 3 is slow" --key oncall.key

say "what the alias named, and whether all is as it was"
showcause log models:/credit@champion
showcause verify models:/credit@champion
