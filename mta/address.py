"""A mail address: local part and domain, parsed once at the edge."""

from __future__ import annotations

import re
from typing import NamedTuple

from mta.taint import Tainted, carry

# Negated, since wide ranges take milliseconds to compile: atext of RFC 5322, and
# letters, digits and the underscore; with them all that is not ASCII (RFC 6531).
_ATOM = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]+'
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_QUOTED_STRING = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"\Z')
_EDGE = r"[^\x00-/:-@\[-^`{-\x7f]"
_INNER = r"[^\x00-,./:-@\[-^`{-\x7f]"
_LABEL = rf"{_EDGE}(?:{_INNER}*{_EDGE})?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_LITERAL = re.compile(r"\[[A-Za-z0-9:.]+\]\Z")
LOCAL_PART_LIMIT = 255
DOMAIN_LIMIT = 255


class Address(NamedTuple):
    """A mail address as it was given (RFC 5321, section 4.1.2).

    Both parts keep their case; compare by ``key``.  The null reverse-path has two
    empty parts and is false; an unqualified address has an empty domain.
    """

    local_part: str
    domain: str

    def __bool__(self) -> bool:
        return bool(self.local_part or self.domain)

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """``local@domain``, without angle brackets; empty for the null path."""
        if not self.domain:
            return self.local_part
        return carry(f"{self.local_part}@{self.domain}", *self)

    @property
    def key(self) -> str:
        """The address with its domain in lower case, equal for equal mailboxes."""
        return f"{self.local_part}@{self.domain.lower()}"


NULL_PATH = Address("", "")


class AddressError(ValueError):
    """The text is not an address; the message says what is wrong with it."""


def parse_address(text: str, *, allow_literal: bool = True) -> Address:
    """Return the address in ``local@domain`` form; the parts keep the text's taint.

    A source route (``@a,@b:user@host``) is accepted and dropped (RFC 5321,
    appendix C).  An address without a domain is returned unqualified.  Raises
    AddressError.
    """
    if text.startswith("@"):
        text = text.partition(":")[2]
    if text.startswith('"'):
        end = _closing_quote(text)
        local_part, rest = text[:end], text[end:]
        if rest and not rest.startswith("@"):
            raise AddressError("malformed address: text follows the quoted local part")
        domain = rest[1:]
        if rest == "@":
            raise AddressError("domain missing or malformed")
    else:
        local_part, at, domain = text.rpartition("@")
        if not at:
            local_part, domain = domain, local_part
        elif not domain:
            raise AddressError("domain missing or malformed")
    _check_local_part(local_part)
    if domain:
        _check_domain(domain, allow_literal)
    return Address(local_part, domain)


def _closing_quote(text: str) -> int:
    position = 1
    while position < len(text):
        if str.__getitem__(text, position) == "\\":
            position += 1
        elif str.__getitem__(text, position) == '"':
            return position + 1
        position += 1
    raise AddressError("missing closing quote in local part")


def _check_local_part(local_part: str) -> None:
    if not local_part:
        raise AddressError("missing or malformed local part")
    if len(local_part) > LOCAL_PART_LIMIT:
        raise AddressError("local part is too long")
    if not _DOT_STRING.match(local_part) and not _QUOTED_STRING.match(local_part):
        raise AddressError("missing or malformed local part")


def _check_domain(domain: str, allow_literal: bool) -> None:
    if len(domain) > DOMAIN_LIMIT:
        raise AddressError("domain is too long")
    if domain.startswith("["):
        if not allow_literal:
            raise AddressError("domain literals not allowed")
        if not _LITERAL.match(domain):
            raise AddressError("malformed domain literal")
    elif not _DOMAIN.match(domain):
        raise AddressError("domain missing or malformed")


def unquoted_local_part(local_part: str) -> str:
    """Return the local part without the quoting that only the wire needs."""
    if not local_part.startswith('"'):
        return local_part
    return carry(re.sub(r"\\(.)", r"\1", local_part[1:-1]), local_part)


def from_wire(octets: bytes) -> Tainted:
    """Decode octets of a peer to text that an encoder gives back unchanged."""
    return Tainted(octets.decode("utf-8", "surrogateescape"))
