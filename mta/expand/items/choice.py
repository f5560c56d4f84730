"""Items that choose between strings."""

from __future__ import annotations

import re
from collections.abc import Callable

from mta.errors import ExpansionError
from mta.expand.choices import Branches, Finding, If
from mta.expand.context import Context
from mta.expand.json_text import element, member, without_quotes
from mta.expand.nodes import FindingCall, Literal, Node, any_waits
from mta.expand.quoting import unquoted
from mta.expand.registry import item
from mta.expand.syntax import Reader
from mta.options import split_list

_NUMBER = re.compile(r"-?[0-9]{1,9}\Z")
_FIELD = re.compile(r'\s*([^\s=]*)\s*=?\s*("(?:[^"\\]|\\.)*"?|\S*)', re.DOTALL)


@item("if", reads=True)
def if_(reader: Reader) -> Node:
    """The first string where a condition holds, else the second."""
    test = reader.condition()
    branches = reader.branches("if")
    return If(test, branches.yes, branches.no)


@item("extract", reads=True)
def extract(reader: Reader) -> Node:
    """A field of a string, by its name or number; or a value of JSON text."""
    for word, is_string in (("jsons", True), ("json", False)):
        if reader.peek() == "j" and reader.accept(word):
            function = json_string if is_string else json_value
            call = FindingCall(function, reader.strings(2, 2, "extract"))
            return Finding(call, reader.branches("extract"))
    arguments = reader.strings(2, 5, "extract")
    fails = reader.peek() != "}"
    no = reader.fail("extract") if fails else None
    reader.close("extract")
    by_number = _alternative(arguments, no, 3, numbered_field)
    by_name = _alternative(arguments, no, 2, named_field)
    key = arguments[0]
    if isinstance(key, Literal):
        chosen = by_number if _NUMBER.match(key.text.strip()) else by_name
        if chosen is None or not key.text.strip():
            raise reader.error('wrong number of arguments or empty key in "extract"')
        return chosen
    return Either(key, by_number, by_name)


def _alternative(
    arguments: list[Node],
    no: Node | None,
    count: int,
    function: Callable[..., str | None],
) -> Node | None:
    rest = arguments[count:]
    if len(arguments) < count or len(rest) > (1 if no else 2) or (no and not rest):
        return None
    branches = Branches(rest[0] if rest else None, rest[1] if len(rest) > 1 else no)
    return Finding(FindingCall(function, arguments[:count]), branches)


class Either(Node):
    """An extraction whose key decides only when expanded what it means."""

    __slots__ = ("by_name", "by_number", "key", "waits")

    def __init__(self, key: Node, by_number: Node | None, by_name: Node | None) -> None:
        self.key = key
        self.by_number = by_number
        self.by_name = by_name
        self.waits = any_waits(part for part in (key, by_number, by_name) if part)

    async def later(self, context: Context) -> str:
        key = (await self.key.later(context)).strip()
        if not key:
            raise ExpansionError('empty key in "extract"')
        chosen = self.by_number if _NUMBER.match(key) else self.by_name
        if chosen is None:
            raise ExpansionError(f'wrong number of arguments in "extract" of "{key}"')
        return await chosen.later(context)


def named_field(key: str, text: str) -> str | None:
    """Return the value of a key in ``key=value key2="value 2"``."""
    wanted = key.strip().lower()
    position = 0
    while (match := _FIELD.match(text, position)) is not None and match[1]:
        if match[1].lower() == wanted:
            return unquoted(match[2] or "")
        position = match.end()
    return None


def numbered_field(key: str, separators: str, text: str) -> str | None:
    """Return a field of a string, counted from 1 or, negative, from the end."""
    number = int(key)
    if number == 0:
        return text
    if not separators:
        fields = [text]
    else:
        fields = re.split("[" + re.escape(separators) + "]", text)
    if abs(number) > len(fields):
        return None
    return fields[number - 1 if number > 0 else number]


def json_value(key: str, text: str) -> str | None:
    """Return a value of a JSON object by its name, of an array by its number."""
    key = key.strip()
    if not key:
        raise ExpansionError('empty key in "extract"')
    return element(text, int(key)) if _NUMBER.match(key) else member(text, key)


def json_string(key: str, text: str) -> str | None:
    """Return a string of a JSON object or array without its quotes."""
    value = json_value(key, text)
    return None if value is None else without_quotes(value)


@item("listextract", least=2, most=2, branches=True)
def listextract(key: str, text: str) -> str | None:
    """An item of a list, counted from 1 or, negative, from the end."""
    if not _NUMBER.match(key.strip()):
        raise ExpansionError(f'"{key}" is not a number in "listextract"')
    number, items = int(key), split_list(text)
    if number == 0 or abs(number) > len(items):
        return None
    return items[number - 1 if number > 0 else number]


@item("env", least=1, most=1, branches=True, context=True)
def env(context: Context, key: str) -> str | None:
    """A variable of the environment that ``keep_environment`` leaves."""
    return context.site.environment.get(key.strip())
