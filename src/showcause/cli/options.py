"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[Path, typer.Option("--store", envvar="SHOWCAUSE_STORE", help="The store's folder.")]
RefArgument = Annotated[str, typer.Argument(metavar="REF", help="credit/7, credit@champion, credit; a folder or .zip")]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", envvar="SHOWCAUSE_TRUST", help="Default: showcause-trust.toml in this folder, if any."),
]
KeyOption = Annotated[Path, typer.Option("--key", envvar="SHOWCAUSE_KEY", help="The file of your private key.")]
STORE = Path(".showcause")
POLICY = Path("showcause.toml")
TRUST = Path("showcause-trust.toml")
