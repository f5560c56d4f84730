"""One setting of a configuration: its name and its text (Exim section 6.10 on)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mta.config.reader import LogicalLine

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_HIDE = re.compile(r"hide\s+(?=[A-Za-z])")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """``[hide] name [= text]``; ``text`` is None where there is no equals sign."""

    name: str
    text: str | None
    hidden: bool
    line: LogicalLine


def parse_assignment(line: LogicalLine) -> Assignment:
    """Return what a line sets; raise ConfigurationError."""
    text = line.text
    hidden = _HIDE.match(text)
    if hidden:
        text = text[hidden.end() :]
    match = _NAME.match(text)
    if match is None:
        raise line.error("a setting must start with the name of an option")
    name, rest = match[0], text[match.end() :].strip()
    if not rest:
        return Assignment(name, None, bool(hidden), line)
    if not rest.startswith("="):
        raise line.error(f'"{name}" must be followed by "=" or by nothing')
    return Assignment(name, unquote(rest[1:].strip(), line), bool(hidden), line)


def unquote(text: str, line: LogicalLine) -> str:
    """Return the text of a value that may stand in double quotes."""
    if not text.startswith('"'):
        return text
    end = _closing_quote(text)
    if end < 0:
        raise line.error("the closing quote is missing")
    if text[end + 1 :].strip():
        raise line.error("there is text after the closing quote")
    return unescape(text[1:end])


def _closing_quote(text: str) -> int:
    position = 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position
        position += 1
    return -1


def unescape(text: str) -> str:
    """Return the text with its backslash escapes replaced."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, octal, character = match.groups()
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    if octal:
        return chr(int(octal, 8) & 0xFF)
    return _LETTERS.get(character, character)
