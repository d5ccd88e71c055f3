"""Keys, signatures and reviews at the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli.options import STORE, TRUST, KeyOption, RefArgument, StoreOption, TrustOption
from showcause.cli.terminal import columns, complain, say

PASSPHRASE = "SHOWCAUSE_PASSPHRASE"
Role = Annotated[str, typer.Option("--role", help="In which you sign, such as reviewer.")]
keys = typer.Typer(help="Make a key to sign with, and show its public part.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="key")
    for command in (sign, review, promote, evidence):
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


def promote(
    ref: RefArgument,
    alias: Annotated[str, typer.Option(help="Which alias names it from now on.")] = "champion",
    policy: Annotated[Path | None, typer.Option(help="Default: showcause.toml in this folder.")] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Go by the newest verdict kept beside it.")] = False,
    baseline: Annotated[str | None, typer.Option(help="A REF to compare with; default: what the alias names.")] = None,
    key: Annotated[Path | None, typer.Option("--key", envvar="SHOWCAUSE_KEY", help="Signs the entry.")] = None,
    reason: Annotated[str, typer.Option(help="For the log.")] = "",
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Restore at once what the alias named before; needs --reason, --key.")
    ] = False,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """Let an alias name a version, if the gate lets it through.

    Runs the check, asks for the sign-offs that the trust file wants, and adds an entry to the alias's log, which is
    append-only, chained and, with a key, signed. --break-glass restores a version that was served before without the
    gate; the gate must then be passed within seven days. Of a version of MLflow's registry the model's files are held
    to what was bound to its snapshot, and MLflow's own alias is set.

    Examples:

    \b
      showcause promote credit/7 --alias champion --key release.key
      showcause promote credit/6 --break-glass --reason "refuses everybody since noon" --key oncall.key
      showcause promote models:/credit/7 --alias champion
    """
    import showcause
    from showcause.cli.app import opened, policy_file
    from showcause.verbs.open import SCHEMES

    rules = None if break_glass else policy_file(policy, no_policy)
    target = ref if ref.startswith(SCHEMES) else opened(ref, store)
    entry = showcause.promote(
        target, alias, policy=rules, baseline=None if baseline is None else opened(baseline, store),
        trust=trusted(trust), key=None if key is None else loaded(key), reason=reason, break_glass=break_glass,
    )  # fmt: skip
    say(f"{entry.alias} names {entry.ref}: entry {entry.number}, {entry.digest}")
    if entry.review_by:
        say(f"the gate must be passed by {entry.review_by}: showcause promote {entry.ref} --alias {alias}")
    return 0


def evidence(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")],
    on: Annotated[str | None, typer.Option(help="The day, such as 2026-03-03 (UTC); default: today.")] = None,
    alias: Annotated[str, typer.Option(help="Whose log says which version it was.")] = "champion",
    out: Annotated[Path | None, typer.Option(help="Default: NAME-DAY.zip")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy as it was then, to be packed.")] = None,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """Pack what a version of one day rests on.

    One zip: snapshot, verdicts, sign-offs, the alias's log, policy, reports, model card, the mapping from law to
    artifact, and verify.py, which checks it all with Python alone.

    Example:  showcause evidence credit --on 2026-03-03 --policy showcause.toml
    """
    import showcause

    path = showcause.evidence(name, out, on=on, alias=alias, policy=policy, trust=trusted(trust), store=store)
    say(path, f"next: unpack verify.py and run python -I -S verify.py {path} --trust {trust or TRUST}")
    return 0


def entries(store: Any, alias: str, trust: Any) -> str:
    """The log of an alias, the newest entry first, with who signed each. Raises NotFound, Corrupt."""
    from showcause.core.errors import NotFound, choices
    from showcause.store.promotion import log

    if not store.entries(alias):
        raise NotFound(f"no such alias in this store: {choices(alias, [ref for ref in store.refs() if '@' in ref])}")
    return listed(list(log(store, alias)), trust)


def listed(found: Sequence[Any], trust: Any) -> str:
    """The entries of a log, the newest first, as a table."""
    from showcause.store.promotion import Promotion
    from showcause.trust.logged import allowed, findings, signer

    rows = []
    for number, entry in enumerate(found, 1):
        if not isinstance(entry, Promotion):
            rows.append((number, f"{entry.name}/{entry.version}", "", "", "", "", "", entry.digest[:12]))
            continue
        who = "nobody" if entry.envelope is None else "not judged: no trust file"
        if trust is not None and entry.envelope is not None:
            name, code, _ = signer(entry, trust)
            who = allowed(entry, trust)[0] or code or name
        grounds = "broken glass" if entry.break_glass else f"verdict {entry.verdict[:12]}" if entry.verdict else "none"
        rows.append((number, entry.ref, entry.at, entry.by, who, grounds, entry.reason, entry.digest[:12]))
    header = ("entry", "version", "at", "by", "signed by", "grounds", "reason", "digest")
    owed = [str(f) for f in findings([e for e in found if isinstance(e, Promotion)], None)]
    return "\n".join([columns(header, reversed(rows)), *owed, f"last entry {found[-1].digest}"])


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
