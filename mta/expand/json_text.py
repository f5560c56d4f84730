"""Parts of JSON text, as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from mta.errors import ExpansionError
from mta.taint import carry

_SPACE = re.compile(r"[ \t\r\n]*")


@cache
def _decoder() -> Any:
    import json  # noqa: PLC0415 - start-up time

    return json.JSONDecoder()


def array_items(text: str) -> list[str]:
    """Return the elements of a JSON array; raise ExpansionError."""
    return [carry(item, text) for item in _array(str(text))]


def array_strings(text: str) -> list[str]:
    """Return the strings of a JSON array, without their quotes."""
    return [without_quotes(item) for item in array_items(text)]


def member(text: str, key: str) -> str | None:
    """Return the value that a JSON object has for a key, or None."""
    for name, value in _object(str(text)):
        if name == key:
            return carry(value, text)
    return None


def element(text: str, number: int) -> str | None:
    """Return an element of a JSON array, counted from 1 or, negative, from the end."""
    items = array_items(text)
    if number == 0 or abs(number) > len(items):
        return None
    return items[number - 1 if number > 0 else number]


def without_quotes(text: str) -> str:
    """Return a JSON string without its quotes; raise ExpansionError for others."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        raise ExpansionError("a JSON string was expected")
    return text[1:-1]


def _array(text: str) -> Iterator[str]:
    position = _expect(text, 0, "[")
    while not text.startswith("]", position):
        start, position = position, _value_end(text, position)
        yield text[start:position]
        position = _next(text, position, "]")


def _object(text: str) -> Iterator[tuple[str, str]]:
    position = _expect(text, 0, "{")
    while not text.startswith("}", position):
        name_start, position = position, _value_end(text, position)
        name = without_quotes(text[name_start:position])
        start = _expect(text, position, ":")
        position = _value_end(text, start)
        yield name, text[start:position]
        position = _next(text, position, "}")


def _next(text: str, position: int, end: str) -> int:
    position = _skip(text, position)
    return position if text.startswith(end, position) else _expect(text, position, ",")


def _expect(text: str, position: int, sign: str) -> int:
    position = _skip(text, position)
    if not text.startswith(sign, position):
        raise ExpansionError(f'malformed JSON: "{sign}" expected')
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _value_end(text: str, position: int) -> int:
    try:
        _, end = _decoder().raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        raise ExpansionError(f"malformed JSON: {error}") from error
    return int(end)
