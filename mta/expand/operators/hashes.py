"""Operators that hash.

The library of hashes is imported when one is used: it costs start-up time.
"""

from __future__ import annotations

from mta.expand.certificate import CertificateText, subject_octets
from mta.expand.hashing import numeric_hash, textual_hash
from mta.expand.operators.text import integers
from mta.expand.registry import operator


def _digest(algorithm: str, text: str) -> str:
    import hashlib  # noqa: PLC0415 - start-up time

    return hashlib.new(
        algorithm, subject_octets(text), usedforsecurity=False
    ).hexdigest()


@operator("md5", taints=False)
def md5(text: str) -> str:
    """The MD5 hash in lower-case hexadecimal digits; a certificate's in upper case."""
    digest = _digest("md5", text)
    return digest.upper() if isinstance(text, CertificateText) else digest


@operator("sha1", taints=False)
def sha1(text: str) -> str:
    """The SHA-1 hash in upper-case hexadecimal digits."""
    return _digest("sha1", text).upper()


@operator("sha256", taints=False)
def sha256(text: str) -> str:
    """The SHA-256 hash in upper-case hexadecimal digits."""
    return _digest("sha256", text).upper()


def _sha2_size(argument: str) -> str:
    return _size(argument, "256", "384", "512")


def _sha3_size(argument: str) -> str:
    return _size(argument, "256", "224", "384", "512")


def _size(argument: str, *sizes: str) -> str:
    if argument and argument not in sizes:
        raise ValueError(f'"{argument}" is not one of {", ".join(sizes)}')
    return argument or sizes[0]


@operator("sha2", argument=_sha2_size, taints=False)
def sha2(text: str, size: str) -> str:
    """A SHA-2 hash of 256, 384 or 512 bits: ``${sha2_512:text}``."""
    return _digest(f"sha{size}", text).upper()


@operator("sha3", argument=_sha3_size, taints=False)
def sha3(text: str, size: str) -> str:
    """A SHA-3 hash of 224, 256, 384 or 512 bits: ``${sha3_512:text}``."""
    return _digest(f"sha3_{size}", text).upper()


def _one_or_two(argument: str) -> list[int]:
    return integers(argument, 1, 2)


@operator("hash", argument=_one_or_two)
def hash_(text: str, numbers: list[int]) -> str:
    """A string of a given length made from the text: ``${hash_4_62:text}``."""
    return textual_hash(text, numbers[0], numbers[1] if len(numbers) > 1 else 26)


@operator("h", argument=_one_or_two)
def hash_short(text: str, numbers: list[int]) -> str:
    """Short for ``hash``."""
    return textual_hash(text, numbers[0], numbers[1] if len(numbers) > 1 else 26)


@operator("nhash", argument=_one_or_two, taints=False)
def nhash(text: str, numbers: list[int]) -> str:
    """One or two numbers made from the text: ``${nhash_8_64:text}``."""
    return numeric_hash(text, numbers[0], numbers[1] if len(numbers) > 1 else None)


@operator("nh", argument=_one_or_two, taints=False)
def nhash_short(text: str, numbers: list[int]) -> str:
    """Short for ``nhash``."""
    return numeric_hash(text, numbers[0], numbers[1] if len(numbers) > 1 else None)
