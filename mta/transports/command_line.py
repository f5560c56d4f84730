"""The command of a pipe: split into words first, then expanded (Exim section 29.3)."""

from __future__ import annotations

from mta.config.values import unescape

PIPE_ADDRESSES = "$pipe_addresses"


def split_command(text: str) -> list[str]:
    """Return the words of a command line; raise ValueError for an open quote.

    Words are separated by white space.  Double quotes hold one word in which a
    backslash escapes; single quotes one that is taken as it is.
    """
    words: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return words
        if text[position] == '"':
            word, position = _double_quoted(text, position + 1)
        elif text[position] == "'":
            end = text.find("'", position + 1)
            if end < 0:
                raise ValueError(f"a single quote is not closed in {text}")
            word, position = text[position + 1 : end], end + 1
        else:
            end = position
            while end < len(text) and not text[end].isspace():
                end += 1
            word, position = text[position:end], end
        words.append(word)


def _double_quoted(text: str, position: int) -> tuple[str, int]:
    start = position
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return unescape(text[start:position]), position + 1
        position += 1
    raise ValueError(f"a double quote is not closed in {text}")
