"""Keys, signatures and reviews at the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli.options import STORE, TRUST, KeyOption, RefArgument, StoreOption, TrustOption
from showcause.cli.terminal import complain, say

PASSPHRASE = "SHOWCAUSE_PASSPHRASE"
Role = Annotated[str, typer.Option("--role", help="In which you sign, such as reviewer.")]
keys = typer.Typer(help="Make a key to sign with, and show its public part.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="key")
    for command in (sign, review):
        app.command()(command)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Yours, as the trust file will call you.")],
    out: Annotated[Path | None, typer.Option(help="The file to write, mode 0600; default: NAME.key")] = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help=f"Ask for a passphrase (or take {PASSPHRASE}) and encrypt.")
    ] = False,
) -> int:
    """Make an Ed25519 key.

    Prints the lines that the operator puts into showcause-trust.toml. The private key is never overwritten, never
    shown and never stored with a snapshot.

    Needs: pip install 'showcause[sign]'

    Example:  showcause key create alice --passphrase
    """
    from showcause.trust.keys import create as make
    from showcause.trust.trust import Trust

    file = out or Path(f"{name}.key")
    given = _passphrase(f"Passphrase of {file}", confirm=True) if passphrase else None
    Trust.of({"keys": {name: {"public": "00" * 31 + "09", "roles": []}}})  # the name can be used
    key = make(file, given)
    complain(f"wrote {file}" + ("" if given else ", not encrypted: whoever can read it can sign as you"))
    _stanza(name, key)
    return 0


@keys.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the trust file will call you.")],
    key: KeyOption,
) -> int:
    """Show the public part of a key.

    As the lines that go into showcause-trust.toml.

    Example:  showcause key show alice --key alice.key
    """
    _stanza(name, loaded(key))
    return 0


def _stanza(name: str, key: Any) -> None:
    quoted = name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else f'"{name}"'
    say(f"[keys.{quoted}]", f'public = "{key.public.hex()}"', 'roles = ["reviewer"]', f"# id {key.id}")


def sign(
    ref: RefArgument,
    role: Role,
    key: KeyOption,
    comment: Annotated[str, typer.Option(help="What you have to say about it.")] = "",
    store: StoreOption = STORE,
) -> int:
    """Vouch for a snapshot.

    The signature binds manifest, model and the newest verdict. `showcause review` shows first what is signed.

    Needs: pip install 'showcause[sign]'

    Example:  showcause sign credit/7 --role reviewer --key alice.key --comment "read, nothing to object"
    """
    from showcause.cli.app import opened

    return _sign(opened(ref, store), role, key, comment)


def review(
    ref: RefArgument,
    role: Role,
    key: KeyOption,
    comment: Annotated[str | None, typer.Option(help="What you have to say; asked for without.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """Show what is to be signed, ask, sign.

    What it explains, what became of each part, its verdict and who vouched before.

    Needs: pip install 'showcause[sign]'

    Example:  showcause review credit/7 --role reviewer --key alice.key
    """
    from showcause.cli.app import opened

    snapshot = opened(ref, store)
    say(to_review(snapshot, trusted(trust)))
    if not yes:
        if not sys.stdin.isatty():
            complain("not signed: nobody is here to ask; give --yes once you have read it")
            return 2
        if not typer.confirm(f"Sign this as {role}?"):
            say("not signed")
            return 1
        if comment is None:
            comment = typer.prompt("Comment", default="", show_default=False)
    return _sign(snapshot, role, key, comment or "")


def _sign(snapshot: Any, role: str, key: Path, comment: str) -> int:
    import showcause

    digest = showcause.sign(snapshot, key=loaded(key), role=role, comment=comment)
    say(f"signed {snapshot.ref} as {role}: signature {digest[:12]}")
    return 0


def to_review(snapshot: Any, trust: Any) -> str:
    """What a reviewer must see before signing."""
    from showcause.cli import show as text
    from showcause.trust.sign_off import vouched
    from showcause.trust.trust import Trust
    from showcause.verbs.sign import newest_verdict

    verdict = newest_verdict(snapshot)
    parts = [text.summary(snapshot), "", text.statuses(snapshot), ""]
    if verdict is None:
        parts.append("verdict  none: showcause check makes one; a signature now vouches without")
    else:
        state = "blessed" if verdict.blessed else "NOT blessed"
        against = f"against {verdict.baseline.ref}" if verdict.baseline else "no baseline"
        parts.append(f"verdict  {state} on {verdict.date} under policy {verdict.policy[:12]}, {against}")
        parts += [f"  {reason}" for reason in verdict.reasons]
    before = vouched(snapshot, trust or Trust())
    parts += ["", "signed by" if before else "signed by nobody yet"]
    parts += [f"  {vouch}" if vouch.counts else f"  does not count [{vouch.code}]: {vouch.problem}" for vouch in before]
    return "\n".join(parts)


def trusted(given: Path | None) -> Any:
    """The operator's trust: --trust, the variable, or the file in this folder; None without any."""
    from showcause.trust.trust import Trust

    if given is None and not TRUST.is_file():
        return None
    if given is None:
        complain(f"reading {TRUST} from this folder (--trust: another)")
    return Trust.of(given or TRUST)


def loaded(path: Path) -> Any:
    """The private key in a file; its passphrase from the variable, or asked for."""
    from showcause.trust.keys import load, locked

    return load(path, _passphrase(f"Passphrase of {path}") if locked(path) else None)


def _passphrase(question: str, *, confirm: bool = False) -> str:
    from showcause.core.errors import ParameterError

    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ParameterError(f"nobody is here to give the passphrase; set {PASSPHRASE}")
    return str(typer.prompt(question, hide_input=True, confirmation_prompt=confirm))
