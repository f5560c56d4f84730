"""Operators on plain text."""

from __future__ import annotations

import re

from mta.expand.context import Context
from mta.expand.evaluate import expand_text
from mta.expand.header_wrap import wrap
from mta.expand.octets import beginning, octets_of, substring, text_from
from mta.expand.registry import operator

_NEEDS_QUOTES = re.compile(r"[^A-Za-z0-9_.\-]")
_ATOMS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*"
)
_UNQUOTED_LOOKUPS = frozenset(
    "cdb dbm dbmjz dbmnz dnsdb dsearch iplsearch json lmdb lsearch nwildlsearch passwd "
    "psl regdom spf wildlsearch".split()
)
_SHORT_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
_INTEGER = re.compile(r"-?[0-9]{1,9}\Z")


def integers(argument: str, least: int, most: int) -> list[int]:
    """Return the numbers behind an operator's name; raise ValueError."""
    words = argument.split("_") if argument else []
    if not least <= len(words) <= most:
        raise ValueError(f"{least} to {most} numbers expected after the name")
    for word in words:
        if not _INTEGER.match(word):
            raise ValueError(f'"{word}" is not a number')
    return [int(word) for word in words]


def _one(argument: str) -> int:
    return integers(argument, 1, 1)[0]


def _one_or_two(argument: str) -> list[int]:
    return integers(argument, 1, 2)


def _none_to_two(argument: str) -> list[int]:
    return integers(argument, 0, 2)


@operator("lc")
def lc(text: str) -> str:
    """The text in lower case."""
    return text.lower() if text.isascii() else text_from(octets_of(text).lower())


@operator("uc")
def uc(text: str) -> str:
    """The text in upper case."""
    return text.upper() if text.isascii() else text_from(octets_of(text).upper())


@operator("strlen", taints=False)
def strlen(text: str) -> str:
    """How many octets the text has."""
    return str(len(text) if text.isascii() else len(octets_of(text)))


@operator("length", argument=_one)
def length(text: str, count: int) -> str:
    """The first octets of the text: ``${length_3:text}``."""
    return beginning(text, count)


@operator("l", argument=_one)
def length_short(text: str, count: int) -> str:
    """Short for ``length``."""
    return beginning(text, count)


@operator("substr", argument=_one_or_two)
def substr(text: str, numbers: list[int]) -> str:
    """Part of the text: ``${substr_2_3:text}``, with offset and length."""
    return substring(text, numbers[0], numbers[1] if len(numbers) > 1 else None)


@operator("s", argument=_one_or_two)
def substr_short(text: str, numbers: list[int]) -> str:
    """Short for ``substr``."""
    return substring(text, numbers[0], numbers[1] if len(numbers) > 1 else None)


def _quoting(lookup_type: str) -> str:
    if lookup_type and lookup_type not in (*_UNQUOTED_LOOKUPS, "sqlite"):
        raise ValueError(f'no quoting is known for the look-up type "{lookup_type}"')
    return lookup_type


@operator("quote", argument=_quoting)
def quote(text: str, lookup_type: str) -> str:
    """The text in double quotes, unless it is of letters, digits, ``_.-`` only.

    ``${quote_sqlite:text}`` is quoted for a query of that look-up type instead.
    """
    if lookup_type:
        return text.replace("'", "''") if lookup_type == "sqlite" else text
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return _in_double_quotes(text)


def _in_double_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


@operator("quote_local_part")
def quote_local_part(text: str) -> str:
    """The text as a local part: quoted where RFC 5322 asks for it."""
    return text if _ATOMS.fullmatch(text) else _in_double_quotes(text)


@operator("rxquote")
def rxquote(text: str) -> str:
    """The text with a backslash before all but letters and digits."""
    return "".join(
        letter if letter.isalnum() and letter.isascii() else "\\" + letter
        for letter in text
    )


@operator("escape")
def escape(text: str) -> str:
    """The text with octets that are not printable as escapes."""
    return "".join(
        chr(octet)
        if 32 <= octet < 127 or octet == 9
        else _SHORT_ESCAPES.get(octet) or f"\\{octet:03o}"
        for octet in octets_of(text)
    )


@operator("escape8bit")
def escape8bit(text: str) -> str:
    """The text with octets above 126, and backslashes, as escapes."""
    return "".join(
        f"\\{octet:03o}" if octet >= 127 else "\\134" if octet == 92 else chr(octet)
        for octet in octets_of(text)
    )


@operator("hexquote")
def hexquote(text: str) -> str:
    """The text with octets outside ``!`` to ``~`` as ``\\xNN``."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 else f"\\x{octet:02x}"
        for octet in octets_of(text)
    )


@operator("utf8clean")
def utf8clean(text: str) -> str:
    """The text with a question mark for each octet that is not valid UTF-8."""
    return re.sub("[\udc80-\udcff]", "?", text_from(octets_of(text)))


@operator("headerwrap", argument=_none_to_two)
def headerwrap(text: str, numbers: list[int]) -> str:
    """The text in lines that fit a header field: ``${headerwrap_80_998:text}``."""
    columns, limit = [*numbers, *(80, 998)[len(numbers) :]]
    return wrap(text, columns, limit)


@operator("expand", context=True, waits=True)
async def expand(context: Context, text: str) -> str:
    """The text expanded once more."""
    return await expand_text(text, context)


@operator("xtextd")
def xtextd(text: str) -> str:
    """The text with ``+HH`` decoded (RFC 3461)."""
    if "+" not in text:
        return text
    octets = octets_of(text)
    return text_from(
        re.sub(rb"\+([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), octets)
    )


@operator("from_utf8")
def from_utf8(text: str) -> str:
    """UTF-8 text in ISO 8859-1, with an underscore for what that lacks."""
    octets = bytes(
        ord(letter) if ord(letter) < 256 else ord("_")
        for letter in octets_of(text).decode("utf-8", "replace")
    )
    return text_from(octets)
