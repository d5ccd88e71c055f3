"""Ed25519 keys: making one, reading one, signing with it. Needs the extra [sign]; verifying does not (see ed25519.py).

A private key is a PKCS #8 PEM file that its owner alone may read, encrypted where there is a passphrase. It never goes
into a store. A key's id is the sha256 of its canonical description, as securesystemslib computes it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import MissingExtra, ParameterError
from showcause.trust.dsse import PAYLOAD, Envelope, Signature, Statement, pae


def keyid(public: bytes) -> str:
    """The id of a public key (32 bytes)."""
    described = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public.hex()}}
    return canonical.digest(canonical.dumps(described))


@dataclass(frozen=True)
class Key:
    """A private key in memory; it shows its public part alone."""

    public: bytes
    _private: Any = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        return keyid(self.public)

    def sign(self, statement: Statement) -> Envelope:
        signature = self._private.sign(pae(PAYLOAD, statement.document))
        return Envelope(statement.document, (Signature(self.id, signature),))


def create(path: str | os.PathLike[str], passphrase: str | None = None) -> Key:
    """Make a key and write it to a new file of mode 0600. Raises ParameterError where something is there."""
    serialization, ed25519 = _cryptography()
    private = ed25519.Ed25519PrivateKey.generate()
    lock = serialization.NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise ParameterError("the passphrase is empty; give one, or none at all")
        lock = serialization.BestAvailableEncryption(passphrase.encode())
    data = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    target = Path(path)
    if any((folder / "showcause-store").exists() for folder in target.absolute().parents):
        raise ParameterError(f"{target} lies in a store, which others read; keep private keys elsewhere")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ParameterError(f"{target} is there already; a key is never overwritten") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return _key(private)


def load(path: str | os.PathLike[str], passphrase: str | None = None) -> Key:
    """Read a private key. Raises ParameterError: no file, no Ed25519 key, readable by others, wrong passphrase."""
    serialization, ed25519 = _cryptography()
    try:
        data = Path(path).read_bytes()
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise ParameterError(f"cannot read the key {path}: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise ParameterError(f"others may read the key {path}; run: chmod 600 {path}")
    try:
        private = serialization.load_pem_private_key(data, None if passphrase is None else passphrase.encode())
    except TypeError:
        needed = "needs a passphrase" if passphrase is None else "has no passphrase"
        raise ParameterError(f"the key {path} {needed}") from None
    except ValueError:
        what = "is no key, or the passphrase is wrong" if passphrase is not None else "is no private key in PEM form"
        raise ParameterError(f"{path} {what}") from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise ParameterError(f"{path} is a key of another kind; showcause key create makes an Ed25519 key")
    return _key(private)


def locked(path: str | os.PathLike[str]) -> bool:
    """Whether the file is a key that needs a passphrase."""
    try:
        return b"BEGIN ENCRYPTED PRIVATE KEY" in Path(path).read_bytes()
    except OSError:
        return False


def _key(private: Any) -> Key:
    return Key(private.public_key().public_bytes_raw(), private)


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtra.of("cryptography", "sign") from None
    return serialization, ed25519
