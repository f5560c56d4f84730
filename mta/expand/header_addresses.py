"""Addresses as header fields write them (RFC 5322, section 3.4)."""

from __future__ import annotations

from mta.address import Address, AddressError, parse_address
from mta.taint import carry

_SPACE = " \t\r\n"
_ENDS = {"<": ">", "[": "]"}


def header_addresses(text: str) -> list[Address]:
    """Return the addresses of a list as in To:, without those that are malformed."""
    found = []
    for item in split_addresses(text):
        address = header_address(item)
        if address is not None:
            found.append(address)
    return found


def header_address(text: str) -> Address | None:
    """Return the one address of ``Name <local@domain> (comment)``, or None."""
    plain = _without_comments(str(text))
    if plain is None:
        return None
    start = _unquoted_position(plain, "<")
    if start >= 0:
        end = _unquoted_position(plain, ">", start)
        if end < 0 or plain[end + 1 :].strip(_SPACE):
            return None
        plain = plain[start + 1 : end]
        if plain.strip(_SPACE).startswith("@"):
            plain = plain.partition(":")[2]
    local_and_domain = _without_space(plain)
    if not local_and_domain:
        return None
    try:
        address = parse_address(local_and_domain)
    except AddressError:
        return None
    return Address(carry(address.local_part, text), carry(address.domain, text))


def split_addresses(text: str) -> list[str]:
    """Return the items of an address list, groups opened (``name: a, b;``)."""
    items = []
    plain = str(text)
    start = position = depth = 0
    while position < len(plain):
        sign = plain[position]
        if sign == "\\":
            position += 1
        elif sign == '"' and not depth:
            position = _quote_end(plain, position)
        elif sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        elif sign in _ENDS and not depth:
            end = _unquoted_position(plain, _ENDS[sign], position)
            position = end if end >= 0 else position
        elif sign in ",;" and not depth:
            items.append(plain[start:position])
            start = position + 1
        elif sign == ":" and not depth:
            start = position + 1
        position += 1
    items.append(plain[start:])
    return [carry(item.strip(), text) for item in items if item.strip()]


def _quote_end(text: str, position: int) -> int:
    """Return where the quoted string that begins at a position ends."""
    position += 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position


def _unquoted_position(text: str, wanted: str, position: int = 0) -> int:
    while position < len(text):
        if text[position] == wanted:
            return position
        if text[position] == '"':
            position = _quote_end(text, position)
        elif text[position] == "\\":
            position += 1
        position += 1
    return -1


def _without_comments(text: str) -> str | None:
    """Return the text with a space for each comment; None where one does not end."""
    pieces = []
    position = depth = start = 0
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 1
        elif sign == '"' and not depth:
            position = _quote_end(text, position)
        elif sign == "(":
            if not depth:
                pieces.append(text[start:position])
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
            start = position + 1
        position += 1
    return None if depth else " ".join([*pieces, text[start:]])


def _without_space(text: str) -> str:
    """Return an addr-spec without the white space that may stand around its parts.

    White space between two words makes it malformed: the result is then empty.
    """
    text = text.strip(_SPACE)
    if text.startswith('"'):
        end = _quote_end(text, 0) + 1
        quoted, text = text[:end], text[end:]
    else:
        quoted = ""
    for sign in "@.":
        text = sign.join(part.strip(_SPACE) for part in text.split(sign))
    return "" if any(space in text for space in _SPACE) else quoted + text
