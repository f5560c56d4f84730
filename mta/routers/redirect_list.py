"""The items of a redirection list (Exim chapter 22)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mta.address import Address
from mta.expand.header_addresses import header_address
from mta.expand.quoting import unquoted
from mta.taint import carry


class ItemKind(Enum):
    """What an item of a redirection list asks for."""

    ADDRESS = "address"
    PIPE = "pipe command"
    FILE = "file"
    INCLUDE = ":include:"
    BLACKHOLE = ":blackhole:"
    DEFER = ":defer:"
    FAIL = ":fail:"
    UNKNOWN = ":unknown:"
    MALFORMED = "malformed address"


@dataclass(frozen=True, slots=True)
class RedirectItem:
    """One item: its text is the command, path, reason, or the item as written.

    ``keeps_domain`` says that a backslash stood before an address without domain.
    """

    kind: ItemKind
    text: str
    address: Address | None = None
    keeps_domain: bool = False


_SPECIAL = re.compile(r":(include|blackhole|defer|fail|unknown):", re.IGNORECASE)
_REASONS = frozenset((ItemKind.DEFER, ItemKind.FAIL))


def redirect_items(text: str) -> Iterator[RedirectItem]:
    """Give the items of a list in order; they keep its taint."""
    plain = str(text)
    position = 0
    while (position := _item_start(plain, position)) < len(plain):
        special = _SPECIAL.match(plain, position)
        kind = ItemKind(special[0].lower()) if special is not None else None
        if kind in _REASONS:
            assert special is not None
            assert kind is not None
            end = _line_end(plain, position)
            reason = plain[special.end() : end].strip()
            yield RedirectItem(kind, carry(reason, text))
        else:
            end = _item_end(plain, position)
            yield _item(carry(plain[position:end].strip(), text))
        position = end


def _item_start(text: str, position: int) -> int:
    while position < len(text):
        if text[position] == "#":
            position = _line_end(text, position)
        elif text[position] not in ", \t\r\n":
            return position
        else:
            position += 1
    return position


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _item_end(text: str, position: int) -> int:
    """Return where the comma or newline is that ends an item.

    Neither a comma in quotes, angle brackets or a comment ends one.
    """
    depth = 0
    is_quoted = False
    while position < len(text) and text[position] != "\n":
        sign = text[position]
        if sign == "\\":
            position += 1
        elif sign == '"' and not depth:
            is_quoted = not is_quoted
        elif is_quoted:
            pass
        elif sign == "<" and not depth:
            position = _bracket_end(text, position)
        elif sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        elif sign == "," and not depth:
            return position
        position += 1
    return min(position, len(text))


def _bracket_end(text: str, position: int) -> int:
    """Return where a bracket is closed in its line, or the position itself."""
    end = text.find(">", position, _line_end(text, position))
    return position if end < 0 else end


def _item(text: str) -> RedirectItem:
    if len(text) > 1 and text.startswith('"') and _quote_end(text) == len(text) - 1:
        text = carry(unquoted(str(text)), text).strip()
    special = _SPECIAL.match(text)
    if special is not None:
        kind = ItemKind(special[0].lower())
        return RedirectItem(kind, text[special.end() :].strip())
    if text.startswith("\\"):
        address = header_address(text[1:])
        if address is not None and not address.domain:
            return RedirectItem(ItemKind.ADDRESS, text, address, keeps_domain=True)
        return RedirectItem(ItemKind.MALFORMED, text)
    address = header_address(text)
    is_complete = address is not None and address.domain
    if text.startswith("|") and not is_complete:
        return RedirectItem(ItemKind.PIPE, text[1:].strip())
    if text.startswith("/") and not is_complete:
        return RedirectItem(ItemKind.FILE, text)
    if address is None:
        return RedirectItem(ItemKind.MALFORMED, text)
    return RedirectItem(ItemKind.ADDRESS, text, address)


def _quote_end(text: str) -> int:
    position = 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position


_CODE = re.compile(r"(\d\d\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: |\Z)")


def split_code(text: str) -> tuple[str, str]:
    """Return the SMTP reply code that a reason begins with, and the rest.

    The code is empty where there is none; an enhanced status code stays with it.
    """
    match = _CODE.match(text)
    if match is None:
        return "", text
    return match[0].rstrip(), text[match.end() :].strip()
