"""Operators that encode and decode."""

from __future__ import annotations

import binascii
import re

from mta.errors import ExpansionError
from mta.expand.certificate import subject_octets
from mta.expand.headers import decode_words
from mta.expand.octets import octets_of, text_from
from mta.expand.registry import operator

_PLAIN = re.compile(r"[ !#-&*+\-/0-9A-Z^`a-z{|}~\'$%]*\Z")
_WORD_START, _WORD_END = "=?UTF-8?Q?", "?="
_WORD_ROOM = 75 - len(_WORD_START) - len(_WORD_END)


@operator("base64")
def base64(text: str) -> str:
    """The text in base64; of a certificate its DER."""
    return binascii.b2a_base64(subject_octets(text), newline=False).decode("ascii")


@operator("str2b64")
def str2b64(text: str) -> str:
    """The text in base64 (an old name)."""
    return binascii.b2a_base64(octets_of(text), newline=False).decode("ascii")


@operator("base64d")
def base64d(text: str) -> str:
    """What base64 stands for."""
    try:
        octets = octets_of(text)
        return text_from(binascii.a2b_base64(octets, strict_mode=b"\n" not in octets))
    except binascii.Error as error:
        raise ExpansionError(f'"{text}" is not base64: {error}') from error


@operator("hex2b64")
def hex2b64(text: str) -> str:
    """Hexadecimal digits in base64."""
    try:
        octets = binascii.unhexlify(octets_of(text))
    except binascii.Error as error:
        raise ExpansionError(f'"{text}" is not a hex string: {error}') from error
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


@operator("rfc2047")
def rfc2047(text: str) -> str:
    """The text in encoded words, where it needs them (RFC 2047)."""
    if _PLAIN.match(text):
        return text
    words = []
    word = ""
    for letter in text:
        encoded = _encoded(letter)
        if len(word) + len(encoded) > _WORD_ROOM:
            words.append(word)
            word = ""
        word += encoded
    words.append(word)
    return " ".join(f"{_WORD_START}{word}{_WORD_END}" for word in words)


def _encoded(letter: str) -> str:
    if letter == " ":
        return "_"
    if letter.isascii() and letter.isalnum():
        return letter
    return "".join(f"={octet:02X}" for octet in octets_of(letter))


@operator("rfc2047d")
def rfc2047d(text: str) -> str:
    """The text with its encoded words decoded."""
    return decode_words(text)
