"""Somebody vouches for a snapshot."""

from __future__ import annotations

import os

from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.store.store import Store
from showcause.trust import keys
from showcause.trust.sign_off import statement, verdicts
from showcause.verbs.open import at_home
from showcause.verbs.open import open as open_ref


def sign(
    ref: str | Snapshot,
    *,
    key: str | os.PathLike[str] | keys.Key,
    role: str,
    comment: str = "",
    passphrase: str | None = None,
    time: str | None = None,
    store: str | os.PathLike[str] | Store | None = None,
) -> str:
    """Sign for a snapshot in a role and attach the signature to it; returns the signature's digest.

    The signature binds the manifest, the model and the newest verdict attached, if there is one.

    ref         "credit/7", "credit@champion" …, or a Snapshot of a store
    key         the file of a private key (`showcause key create`), or a Key
    passphrase  of the key's file, where it has one
    time        ISO 8601 with its offset; default: now

    Whether the role is granted to the key is for whoever verifies to say. Raises ParameterError (no such key, an
    exported snapshot, no model), MissingExtra, NotFound, Corrupt.
    """
    snapshot = ref if isinstance(ref, Snapshot) else open_ref(ref, store=store)
    signer = key if isinstance(key, keys.Key) else keys.load(key, passphrase)
    envelope = signer.sign(statement(snapshot, role, comment, newest_verdict(snapshot), time))
    return at_home(snapshot).attach(snapshot.id, "signature", envelope.document)


def newest_verdict(snapshot: Snapshot) -> Verdict | None:
    """The verdict attached last. Raises Corrupt."""
    return next(reversed(verdicts(snapshot).values()), None)
