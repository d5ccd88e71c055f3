"""Our envelopes verify with securesystemslib and its with ours; the encoding is that of the DSSE specification."""

import base64
import json

import pytest
from securesystemslib import dsse as theirs
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from showcause.core.errors import Corrupt, ParameterError
from showcause.trust import keys
from showcause.trust.dsse import PAYLOAD, Envelope, Statement, pae

STATEMENT = Statement({"manifest": "a" * 64, "model": "b" * 64}, "urn:test:1", {"role": "reviewer", "said": "é\n"})


@pytest.fixture
def key(tmp_path):
    return keys.create(tmp_path / "alice.key")


def test_the_encoding_is_that_of_the_specification():
    # github.com/secure-systems-lab/dsse, protocol.md: PAE and the test vector of its implementation
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 "
    for kind, payload in [("é", b"\x00"), (PAYLOAD, STATEMENT.document), ("a b", b" 1 ")]:
        assert pae(kind, payload) == theirs.Envelope(payload, kind, {}).pae()


def test_what_we_sign_verifies_with_securesystemslib(key, tmp_path):
    envelope = key.sign(STATEMENT)
    read = theirs.Envelope.from_dict(json.loads(envelope.document))
    public = SSlibKey.from_crypto(keys.load(tmp_path / "alice.key")._private.public_key())
    assert public.keyid == key.id
    assert set(read.verify([public], 1)) == {key.id}
    other = SSlibKey.from_crypto(keys.create(tmp_path / "bob.key")._private.public_key(), key.id)
    with pytest.raises(VerificationError):
        read.verify([other], 1)


def test_what_securesystemslib_signs_verifies_here():
    signer = CryptoSigner.generate_ed25519()
    made = theirs.Envelope(STATEMENT.document, PAYLOAD, {})
    made.sign(signer)
    data = json.dumps(made.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    read = Envelope.read(data)
    public = bytes.fromhex(signer.public_key.keyval["public"])
    assert read.statement == STATEMENT
    assert keys.keyid(public) == read.signatures[0].keyid == signer.public_key.keyid
    assert read.signed_by(public, read.signatures[0])


def test_several_signers_fit_into_one_envelope(tmp_path, key):
    second = keys.create(tmp_path / "bob.key")
    both = Envelope(STATEMENT.document, (*key.sign(STATEMENT).signatures, *second.sign(STATEMENT).signatures))
    read = Envelope.read(both.document)
    assert [read.signed_by(k.public, s) for k, s in zip((key, second), read.signatures, strict=True)] == [True, True]
    assert not read.signed_by(second.public, read.signatures[0])


def test_an_envelope_has_one_spelling(key):
    document = key.sign(STATEMENT).document
    assert Envelope.read(document).document == document
    value = json.loads(document)
    for change in (
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"more": 1},
        {"payload": value["payload"].replace("=", "") + "\n"},
        {"payload": 1},
        {"signatures": [{"keyid": "a", "sig": "!!"}]},
        {"signatures": [{"sig": ""}]},
        {"signatures": value["signatures"] * 65},
    ):
        with pytest.raises(Corrupt):
            Envelope.read(json.dumps({**value, **change}, sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(Corrupt):
        Envelope.read(document + b" ")


def test_a_statement_has_one_spelling():
    assert Statement.read(STATEMENT.document) == STATEMENT
    assert json.loads(STATEMENT.document)["_type"] == "https://in-toto.io/Statement/v1"
    for old, new in [(b"v1", b"v2"), (b'"sha256"', b'"md5"'), (b"a" * 64, b"a" * 63), (b'"said"', b' "said"')]:
        with pytest.raises(Corrupt):
            Statement.read(STATEMENT.document.replace(old, new))


def test_every_flipped_byte_of_an_envelope_is_refused(key):
    envelope = key.sign(STATEMENT)
    document = envelope.document
    for position in range(len(document)):
        damaged = document[:position] + bytes([document[position] ^ 1]) + document[position + 1 :]
        try:
            read = Envelope.read(damaged)
        except Corrupt:
            continue
        (signature,) = read.signatures
        assert signature.keyid != key.id or not read.signed_by(key.public, signature), position


def test_a_key_is_written_for_its_owner_alone_and_never_overwritten(tmp_path):
    path = tmp_path / "deep" / "alice.key"
    key = keys.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.public.hex() not in repr(key._private)
    assert keys.load(path).public == key.public
    with pytest.raises(ParameterError, match="never overwritten"):
        keys.create(path)
    path.chmod(0o644)
    with pytest.raises(ParameterError, match="chmod 600"):
        keys.load(path)


def test_a_passphrase_locks_the_file(tmp_path):
    path = tmp_path / "alice.key"
    key = keys.create(path, "secret")
    assert keys.locked(path)
    assert b"ENCRYPTED" in path.read_bytes()
    assert keys.load(path, "secret").id == key.id
    for wrong, said in [(None, "needs a passphrase"), ("Secret", "passphrase is wrong")]:
        with pytest.raises(ParameterError, match=said):
            keys.load(path, wrong)
    with pytest.raises(ParameterError, match="empty"):
        keys.create(tmp_path / "b.key", "")


def test_other_files_are_no_keys(tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import x25519

    other = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for data, said in [(b"hello", "no private key"), (other, "another kind")]:
        path = tmp_path / "x.key"
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(ParameterError, match=said):
            keys.load(path)
    with pytest.raises(ParameterError, match="cannot read"):
        keys.load(tmp_path / "none.key")


def test_private_keys_stay_out_of_stores(tmp_path):
    from showcause.store.folder import FolderStore

    FolderStore(tmp_path / "store")
    with pytest.raises(ParameterError, match="lies in a store"):
        keys.create(tmp_path / "store" / "objects" / "alice.key")


def test_signatures_are_base64_of_64_bytes(key):
    value = json.loads(key.sign(STATEMENT).document)
    assert len(base64.b64decode(value["signatures"][0]["sig"])) == 64
    assert value["payloadType"] == "application/vnd.in-toto+json"
