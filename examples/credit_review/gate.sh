#!/bin/sh
# The gate of a pipeline: sh gate.sh VERSION [BASELINE.zip]. No server; no store is needed beforehand: the baseline is an
# exported snapshot, from the repository or an artifact of the last release. Exit code 1: refused.
set -u
here=$(cd "$(dirname "$0")" && pwd)
version=$1
baseline=${2:-}
summary=${GITHUB_STEP_SUMMARY:-summary.md}
export SHOWCAUSE_STORE="${SHOWCAUSE_STORE:-.showcause}"

python "$here/train.py" "$version" || exit 3
if [ -n "$baseline" ]; then # 1: something wants a look, which the gate below judges; 2 and above: it could not be made
  showcause diff "$baseline" credit --policy "$here/showcause.toml" --format markdown --out diff.md
  [ $? -le 1 ] || exit 3
  cat diff.md >>"$summary"
fi
showcause report credit --share --out report.html || [ $? -eq 1 ] || exit 3
showcause export credit snapshot.zip || exit 3
set -- --policy "$here/showcause.toml" --format markdown --out verdict.md
[ -z "$baseline" ] || set -- "$@" --baseline "$baseline"
showcause check credit "$@"
refused=$?
cat verdict.md >>"$summary"
exit $refused
