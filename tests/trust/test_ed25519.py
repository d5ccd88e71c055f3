"""The verifier in plain Python gives the answers of RFC 8032 and of the package cryptography."""

import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from showcause.trust import ed25519

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(secret, public, message, signature):
    key, text, sig = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == sig
    assert ed25519.verify(key, sig, text)
    assert not ed25519.verify(key, sig, text + b"!")


def accepted(public, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_it_says_what_cryptography_says_of_whole_and_damaged_signatures():
    chance = random.Random(0)
    answers = []
    for _ in range(120):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), chance.randbytes(chance.randrange(200))
        signature = key.sign(message)
        parts = [bytearray(public), bytearray(signature), bytearray(message or b"x")]
        if chance.random() < 0.7:
            part = chance.choice(parts)
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
        given = [bytes(part) for part in parts]
        answers.append(ed25519.verify(*given))
        assert answers[-1] == accepted(*given), [part.hex() for part in given]
    assert 20 < sum(answers) < 80


def test_a_second_spelling_of_a_signature_is_refused():
    _, public, message, signature = VECTORS[1]
    whole = bytes.fromhex(signature)
    added = (int.from_bytes(whole[32:], "little") + ed25519.L).to_bytes(32, "little")
    assert not ed25519.verify(bytes.fromhex(public), whole[:32] + added, bytes.fromhex(message))


@pytest.mark.parametrize("order", [1, 2, 4, 8])
def test_keys_under_which_one_signature_fits_many_messages_are_refused(order):
    eighth = next(  # a point of order 8: L times a point that is not in the group of B
        ed25519.times(ed25519.L, point)
        for y in range(2, 200)
        if (point := ed25519.decode(y.to_bytes(32, "little")))
        and ed25519.encode(ed25519.times(4 * ed25519.L, point)) != ed25519.encode(ed25519.ZERO)
    )
    low = ed25519.encode(ed25519.times(8 // order, eighth))
    assert not ed25519.usable(low)
    fits = ed25519.encode(ed25519.ZERO) + bytes(32)  # 0·B − h·A = 0 whenever the order divides h
    assert not any(ed25519.verify(low, fits, bytes([n])) for n in range(16))


def test_coordinates_that_are_not_reduced_are_refused():
    assert not ed25519.usable((ed25519.p + 3).to_bytes(32, "little"))
    assert not ed25519.usable(b"short")
    assert not ed25519.usable((1 << 255 | 1).to_bytes(32, "little"))  # x = 0 with a sign


def test_signatures_of_a_wrong_length_are_refused():
    _, public, message, signature = VECTORS[0]
    for wrong in (signature[:-2], signature + "00", ""):
        assert not ed25519.verify(bytes.fromhex(public), bytes.fromhex(wrong), bytes.fromhex(message))
