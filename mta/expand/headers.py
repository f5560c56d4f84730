"""Header fields as expansions show them (Exim chapter 11, ``$h_name:``)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mta.expand.nodes import Node
from mta.taint import Tainted

if TYPE_CHECKING:
    from mta.expand.context import Context
    from mta.message import HeaderField

LENGTH_LIMIT = 65536
WORD_LIMIT = 75
ADDRESS_FIELDS = frozenset(
    "from sender reply-to to cc bcc resent-from resent-sender resent-reply-to "
    "resent-to resent-cc resent-bcc".split()
)
# Codecs of Python that are no charsets of mail, some of them slow on purpose.
_NOT_CHARSETS = frozenset(("idna", "punycode", "unicode_escape", "raw_unicode_escape"))
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(
    r"(=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)[ \t\r\n]+(?==\?[^?\s]+\?[bBqQ]\?[^?]*\?=)"
)
_HEXADECIMAL = re.compile(rb"=([0-9A-Fa-f]{2})")


def text_of(octets: bytes) -> str:
    """Return octets of a message as text with line feeds, without a final one."""
    text = octets.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return text.removesuffix("\n")


def raw_text(fields: list[HeaderField]) -> str:
    """Return what follows the colons, unchanged, a line feed between fields."""
    texts = (text_of(field.content.partition(b":")[2]) for field in fields)
    return "\n".join(texts)[:LENGTH_LIMIT]


def list_text(fields: list[HeaderField]) -> str:
    """Return what follows the colons as a list with a colon between its items."""
    texts = (text_of(field.content.partition(b":")[2]) for field in fields)
    return ":".join(text.replace(":", "::") for text in texts)[:LENGTH_LIMIT]


def basic_text(fields: list[HeaderField]) -> str:
    """Return the values with encoded words decoded, but left in their charsets."""
    return _joined(fields, False)


def decoded_text(fields: list[HeaderField]) -> str:
    """Return the values as a reader of the message would see them."""
    return _joined(fields, True)


HEADER_PREFIXES: dict[str, Callable[[list[HeaderField]], str]] = {
    "h_": decoded_text,
    "header_": decoded_text,
    "bh_": basic_text,
    "bheader_": basic_text,
    "rh_": raw_text,
    "rheader_": raw_text,
    "lh_": list_text,
    "lheader_": list_text,
}


class HeaderText(Node):
    """The content of all header fields of one name."""

    __slots__ = ("form", "name")

    def __init__(self, name: str, form: Callable[[list[HeaderField]], str]) -> None:
        self.name = name
        self.form = form

    def now(self, context: Context) -> str:
        fields = self._fields(context)
        return Tainted(self.form(fields)) if fields else ""

    def exists(self, context: Context) -> bool:
        """Return whether the message has such a field, be it empty."""
        return bool(self._fields(context))

    def _fields(self, context: Context) -> list[HeaderField]:
        if context.message is None:
            return []
        return context.message.header.named(self.name)


def _joined(fields: list[HeaderField], translate: bool) -> str:
    is_address = bool(fields) and fields[0].name.lower() in ADDRESS_FIELDS
    values = (decode_words(text_of(field.value), translate) for field in fields)
    junction = ",\n" if is_address else "\n"
    return junction.join(value for value in values if value)[:LENGTH_LIMIT]


def decode_words(text: str, translate: bool = True, *, limit: bool = True) -> str:
    """Return the text with its encoded words decoded (RFC 2047).

    White space between two of them goes.  With ``translate`` they are converted from
    their charset, or as the octets they hold where that is not known; what cannot be
    decoded stays as it is.  Words that are longer than
    the RFC allows are not recognized under ``limit``.
    """
    if "=?" not in text:
        return text

    def decoded(match: re.Match[str]) -> str:
        if limit and len(match[0]) > WORD_LIMIT:
            return match[0]
        charset = match[1].partition("*")[0]
        return _decoded_word(charset if translate else "", match[2], match[3]) or (
            match[0] if match[3] else ""
        )

    return _ENCODED_WORD.sub(decoded, _BETWEEN_WORDS.sub(r"\1", text))


def _decoded_word(charset: str, encoding: str, content: str) -> str:
    try:
        if encoding in "bB":
            octets = binascii.a2b_base64(content.encode("ascii"))
        else:
            plain = content.replace("_", " ").encode("latin-1")
            octets = _HEXADECIMAL.sub(lambda match: bytes([int(match[1], 16)]), plain)
        octets = octets.replace(b"\0", b"?")
        text = _translated(octets, charset) if charset else None
        return text or octets.decode("utf-8", "surrogateescape")
    except (UnicodeError, binascii.Error):
        return ""


def _translated(octets: bytes, charset: str) -> str | None:
    if charset.lower().replace("-", "_") in _NOT_CHARSETS:
        return None
    try:
        text = octets.decode(charset)
        text.encode("utf-8", "surrogateescape")
    except (UnicodeError, LookupError, ValueError):
        return None
    return text
