"""Encrypted passwords, as password files and directories keep them."""

from __future__ import annotations

import binascii
import re
from typing import Any

from mta.errors import ExpansionError

_SCHEME = re.compile(r"\{([A-Za-z0-9]+)\}")
_DIGESTS = {"md5": 16, "sha1": 20}


def matches_encrypted(password: str, encrypted: str) -> bool:
    """Return whether an encrypted password was made from a clear one.

    It may begin with ``{md5}``, ``{sha1}`` or ``{crypt}``, and is else one of
    crypt(3).  An empty one matches nothing.
    """
    match = _SCHEME.match(encrypted)
    if match is None:
        if encrypted.startswith("{"):
            raise ExpansionError('missing "}" in an encrypted password')
        return _matches_crypt(password, encrypted)
    scheme, rest = match[1].lower(), encrypted[match.end() :]
    if scheme in _DIGESTS:
        return _matches_digest(scheme, password, rest)
    if scheme == "crypt":
        return _matches_crypt(password, rest)
    raise ExpansionError(f'unknown encryption mechanism "{match[1]}"')


def _matches_digest(scheme: str, password: str, encoded: str) -> bool:
    import hashlib  # noqa: PLC0415 - start-up time

    octets = password.encode("utf-8", "surrogateescape")
    digest = hashlib.new(scheme, octets, usedforsecurity=False).digest()
    size = _DIGESTS[scheme]
    try:
        if len(encoded) == size * 2:
            return _equal(digest, bytes.fromhex(encoded))
        if len(encoded) == (size + 2) // 3 * 4:
            return _equal(digest, binascii.a2b_base64(encoded.encode("ascii")))
    except ValueError:
        return False
    return False


def _matches_crypt(password: str, encrypted: str) -> bool:
    if not encrypted:
        return False
    try:
        result = _crypt()(str(password), str(encrypted))
    except (OSError, ValueError):
        return False
    if result is None or result.startswith("*"):
        return False
    return _equal(result.encode(), encrypted.encode("utf-8", "surrogateescape"))


def _crypt() -> Any:
    import warnings  # noqa: PLC0415 - start-up time

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            from crypt import crypt  # noqa: PLC0415 - it warns when imported
        except ImportError as error:
            raise ExpansionError("this Python has no crypt module") from error
    return crypt


def _equal(first: bytes, second: bytes) -> bool:
    import hmac  # noqa: PLC0415 - start-up time

    return hmac.compare_digest(first, second)
