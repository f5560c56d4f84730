"""Items that make lists of lists."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from mta.expand.choices import put_back
from mta.expand.context import Context
from mta.expand.nodes import Node, Part, Test, any_waits
from mta.expand.registry import item
from mta.expand.syntax import Reader
from mta.options import split_list
from mta.taint import carry

_COMPARATORS = frozenset("< <= > >= lt lti le lei gt gti ge gei".split())


def separator_of(text: str) -> str:
    """Return the character that separates the items of a list."""
    text = text.lstrip()
    if text.startswith("<") and len(text) > 1:
        character = str(text[1])
        if not character.isalnum() and character != " ":
            return character
    return ":"


def joined(items: list[str], separator: str) -> str:
    """Return the list of some items; separators in them are doubled."""
    texts = (item.replace(separator, separator * 2) for item in items)
    return carry(separator.join(texts), *items)


class EachItem(Node):
    """What is the same in all items that go through a list."""

    __slots__ = ("subject", "waits")

    def __init__(self, subject: Node, *parts: Part[Any]) -> None:
        self.subject = subject
        self.waits = any_waits([subject, *parts])

    async def later(self, context: Context) -> str:
        text = await self.subject.later(context)
        earlier = context.values.get("item")
        try:
            return await self.result(text, context)
        finally:
            put_back(context, "item", earlier)

    async def result(self, text: str, context: Context) -> str:
        """Return the result for a list; ``$item`` is put back afterwards."""
        raise NotImplementedError


class Map(EachItem):
    """The list of what an expression makes of each item."""

    __slots__ = ("expression",)

    def __init__(self, subject: Node, expression: Node) -> None:
        super().__init__(subject, expression)
        self.expression = expression

    async def result(self, text: str, context: Context) -> str:
        results = []
        for context.values["item"] in split_list(text):
            results.append(await self.expression.later(context))
        return joined(results, separator_of(text))


class Filter(EachItem):
    """The list of the items for which a condition holds."""

    __slots__ = ("test",)

    def __init__(self, subject: Node, test: Test) -> None:
        super().__init__(subject, test)
        self.test = test

    async def result(self, text: str, context: Context) -> str:
        value = context.values.get("value")
        results = []
        for candidate in split_list(text):
            context.values["item"] = candidate
            if await self.test.later(context):
                results.append(candidate)
        put_back(context, "value", value)
        return joined(results, separator_of(text))


class Reduce(EachItem):
    """What remains when an expression joins each item to the result so far."""

    __slots__ = ("expression", "first")

    def __init__(self, subject: Node, first: Node, expression: Node) -> None:
        super().__init__(subject, first, expression)
        self.first = first
        self.expression = expression

    async def result(self, text: str, context: Context) -> str:
        earlier = context.values.get("value")
        try:
            result = await self.first.later(context)
            for context.values["item"] in split_list(text):
                context.values["value"] = result
                result = await self.expression.later(context)
            return result
        finally:
            put_back(context, "value", earlier)


class Sort(EachItem):
    """The items in the order of what an expression makes of them."""

    __slots__ = ("before", "expression")

    def __init__(self, subject: Node, before: Any, expression: Node) -> None:
        super().__init__(subject, expression)
        self.before = before
        self.expression = expression

    async def result(self, text: str, context: Context) -> str:
        keyed = []
        for candidate in split_list(text):
            context.values["item"] = candidate
            keyed.append((await self.expression.later(context), candidate))
        keyed.sort(key=cmp_to_key(self._order))
        return joined([candidate for _, candidate in keyed], separator_of(text))

    def _order(self, first: tuple[str, str], second: tuple[str, str]) -> int:
        if self.before(first[0], second[0]):
            return -1
        return 1 if self.before(second[0], first[0]) else 0


@item("map", reads=True)
def map_(reader: Reader) -> Node:
    """The list of what an expression makes of each ``$item``."""
    node = Map(*reader.strings(2, 2, "map"))
    reader.close("map")
    return node


@item("filter", reads=True)
def filter_(reader: Reader) -> Node:
    """The list of the items for which a condition on ``$item`` holds."""
    subject = reader.string('in "filter"')
    reader.expect("{", 'before the condition of "filter"')
    test = reader.condition()
    reader.expect("}", 'after the condition of "filter"')
    reader.close("filter")
    return Filter(subject, test)


@item("reduce", reads=True)
def reduce(reader: Reader) -> Node:
    """One string from a list: an expression joins ``$item`` to ``$value``."""
    node = Reduce(*reader.strings(3, 3, "reduce"))
    reader.close("reduce")
    return node


@item("sort", reads=True)
def sort(reader: Reader) -> Node:
    """A list in the order that a comparator gives to an expression of ``$item``."""
    subject = reader.string('in "sort"')
    comparator = reader.raw_string('in "sort"').strip()
    if comparator not in _COMPARATORS:
        raise reader.error(f'comparator "{comparator}" not recognized in "sort"')
    expression = reader.string('in "sort"')
    reader.close("sort")
    return Sort(subject, reader.language.conditions[comparator], expression)


@item("listquote", least=2, most=2)
def listquote(separator: str, text: str) -> str:
    """A string as an item of a list: separators doubled, a space if it is empty."""
    separator = separator[:1]
    if not text:
        return " "
    return text.replace(separator, separator * 2) if separator else text
