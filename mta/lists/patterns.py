"""Regular expressions as Exim's lists write them, in Python's terms."""

from __future__ import annotations

import re
from functools import lru_cache

_POSIX_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
}
_ESCAPES = {"z": r"\Z", "Z": r"(?=\n?\Z)", "h": r"[ \t]", "R": r"(?:\r\n|\n|\r)"}
_LEADING_FLAGS = re.compile(r"(\^?)\(\?([a-z]*)(?:-([a-z]+))?\)")


@lru_cache(maxsize=1024)
def compile_pattern(text: str, caseless: bool) -> re.Pattern[str]:
    """Return the compiled form of a Perl-compatible regular expression.

    ``(?i)`` and ``(?-i)`` at the start change the default that ``caseless`` gives.
    Raises ValueError with the reason.
    """
    flags = int(re.ASCII | (re.IGNORECASE if caseless else 0))
    start = ""
    text = str(text)
    while (match := _LEADING_FLAGS.match(text)) is not None:
        start, on, off = match[1], match[2] or "", match[3] or ""
        flags = _changed(flags, on, off)
        text = start + text[match.end() :]
    try:
        return re.compile(_translated(text), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"regular expression error: {error} in {text}") from error


def _changed(flags: int, on: str, off: str) -> int:
    letters = {"i": re.I, "m": re.M, "s": re.S, "x": re.X}
    for letter in on + off:
        if letter not in letters:
            raise ValueError(f"regular expression error: unknown option {letter!r}")
    for letter in on:
        flags |= letters[letter]
    for letter in off:
        flags &= ~letters[letter]
    return flags


def _translated(text: str) -> str:
    if "\\" not in text and "[:" not in text and "(?<" not in text:
        return text
    pieces = []
    position = 0
    in_class = False
    while position < len(text):
        taken, piece = _next_piece(text, position, in_class)
        if taken == 1:
            in_class = piece == "[" or (in_class and piece != "]")
        pieces.append(piece)
        position += taken
    return "".join(pieces)


def _next_piece(text: str, position: int, in_class: bool) -> tuple[int, str]:
    character = text[position]
    following = text[position + 1 : position + 2]
    if character == "\\":
        if not in_class and following in _ESCAPES:
            return 2, _ESCAPES[following]
        return 2, character + following
    if in_class and text.startswith("[:", position):
        name, end, _ = text[position + 2 :].partition(":]")
        if end and name in _POSIX_CLASSES:
            return len(name) + 4, _POSIX_CLASSES[name]
    if in_class and character == "[":
        return 1, "\\["
    is_group = not in_class and text.startswith("(?<", position)
    if is_group and text[position + 3 : position + 4] not in ("=", "!"):
        return 3, "(?P<"
    return 1, character
