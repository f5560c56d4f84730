"""Quoted strings and words, as options and commands write them (Exim chapter 6)."""

from __future__ import annotations

import re

from mta.errors import ExpansionError

LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def character(octet: int) -> str:
    """Return the character that stands for an octet in our strings."""
    return bytes([octet]).decode("utf-8", "surrogateescape")


def unquoted(text: str) -> str:
    """Return a value without its double quotes and escapes, if it has them."""
    if not text.startswith('"'):
        return text
    return _ESCAPE.sub(_escaped, text[1:].removesuffix('"'))


def _escaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "x" and len(escape) > 1:
        return character(int(escape[1:], 16))
    if escape[0] in "01234567":
        return character(int(escape, 8) & 0xFF)
    return LETTERS.get(escape, escape)


def command_words(text: str) -> list[str]:
    """Return the words of a command, split at white space.

    A word may stand in double quotes, where backslash is special, or in single
    ones, where nothing is.  White space inside ``${...}`` does not split.  Raises
    ExpansionError.
    """
    words = []
    text = text.strip()
    while text:
        if text.startswith('"'):
            match = _QUOTED.match(text)
            if match is None:
                raise ExpansionError("missing closing quote in a command")
            word, end = unquoted(match[0]), match.end()
        elif text.startswith("'"):
            end = text.find("'", 1) + 1
            if not end:
                raise ExpansionError("missing closing quote in a command")
            word = text[1 : end - 1]
        else:
            end = _word_end(text)
            word = text[:end]
        words.append(word)
        text = text[end:].lstrip()
    return words


def _word_end(text: str) -> int:
    depth = 0
    for position, sign in enumerate(text):
        if sign == "{" and (depth or text[position - 1 : position] == "$"):
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
        elif sign.isspace() and not depth:
            return position
    return len(text)
