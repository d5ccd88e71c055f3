"""Is this an Ed25519 signature? With the standard library alone, so that verifying never needs an installation.

RFC 8032, section 5.1.7, the equation without the cofactor, S below the group's order. Stricter than the RFC where it
lets the verifier choose: coordinates that are not reduced and public keys of small order are refused, for under such a
key one signature fits many messages. Verifying handles nothing secret, so it need not run in constant time; signing is
left to the package cryptography. Compared with it in tests, on the vectors of RFC 8032 and on damaged signatures.

Notation: p the field's prime; d the curve −x² + y² = 1 + d·x²·y²; L the order of the base point B; a point is
(X, Y, Z, T) with x = X/Z, y = Y/Z, x·y = T/Z (Hisil, Wong, Carter, Dawson 2008).
"""

from __future__ import annotations

import hashlib

Point = tuple[int, int, int, int]

p = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, -1, p) % p
ROOT = pow(2, (p - 1) // 4, p)  # a square root of −1
ZERO: Point = (0, 1, 1, 0)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `message` under the key `public` (32 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, s = decode(public), int.from_bytes(signature[32:], "little")
    if key is None or small(key) or s >= L or decode(signature[:32]) is None:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (p - key[0], key[1], key[2], p - key[3])
    return encode(add(times(s, BASE), times(h, minus))) == signature[:32]  # S·B − h·A = R


def usable(public: bytes) -> bool:
    """Whether these bytes can be a public key at all."""
    key = decode(public) if len(public) == 32 else None
    return key is not None and not small(key)


def decode(data: bytes) -> Point | None:
    """The point that 32 bytes name: y, with the sign of x in the highest bit."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= p:
        return None
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if x * x % p != square:
        x = x * ROOT % p
    if x * x % p != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = p - x
    return x, y, 1, x * y % p


def encode(point: Point) -> bytes:
    X, Y, Z, _ = point
    inverse = pow(Z, -1, p)
    return ((Y * inverse % p) | ((X * inverse % p & 1) << 255)).to_bytes(32, "little")


def add(one: Point, two: Point) -> Point:
    """The sum; also of a point with itself, for the formula is complete."""
    A, B = (one[1] - one[0]) * (two[1] - two[0]) % p, (one[1] + one[0]) * (two[1] + two[0]) % p
    C, D = 2 * d * one[3] * two[3] % p, 2 * one[2] * two[2] % p
    E, F, G, H = B - A, D - C, D + C, B + A
    return E * F % p, G * H % p, F * G % p, E * H % p


def times(number: int, point: Point) -> Point:
    total = ZERO
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def small(point: Point) -> bool:
    """Of an order that divides 8."""
    X, Y, Z, _ = times(8, point)
    return X == 0 and Y == Z


BASE: Point = decode((4 * pow(5, -1, p) % p).to_bytes(32, "little")) or ZERO
