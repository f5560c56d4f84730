"""Parts that choose: conditions, ``${if``, and the ``{yes}{no}`` of other items.

Only the branch that is chosen is evaluated.  What a condition or a look-up sets
(``$value``, ``$1`` ...) holds in the branches and is put back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mta.expand.context import Context
from mta.expand.nodes import Call, Literal, Node, Part, Test, any_waits

NOTHING = Literal("")
TRUE = Literal("true")


class Saved:
    """Keeps the captures and some values of a context, to put them back."""

    __slots__ = ("captures", "context", "values")

    def __init__(self, context: Context, *names: str) -> None:
        self.context = context
        self.captures = context.captures
        self.values = [(name, context.values.get(name)) for name in names]

    def restore(self) -> None:
        """Put back what was kept."""
        self.context.captures = self.captures
        for name, value in self.values:
            put_back(self.context, name, value)


class Branches:
    """``{yes}{no}``: what an item becomes when something was found, or not.

    Without a "yes" the value itself is the result, without a "no" an empty string.
    """

    __slots__ = ("no", "waits", "yes")

    def __init__(self, yes: Node | None, no: Node | None) -> None:
        self.yes = yes
        self.no = no or NOTHING
        self.waits = any_waits([yes or NOTHING, self.no])

    async def chosen(self, value: str | None, context: Context) -> str:
        """Return the result for a value, which ``$value`` is in "yes"."""
        if value is None:
            return await self.no.later(context)
        if self.yes is None:
            return value
        saved = Saved(context, "value")
        context.values["value"] = value
        try:
            return await self.yes.later(context)
        finally:
            saved.restore()


class Finding(Node):
    """An item that looks for something and then chooses."""

    __slots__ = ("branches", "call", "waits")

    def __init__(self, call: Part[str | None], branches: Branches) -> None:
        self.call = call
        self.branches = branches
        self.waits = call.waits or branches.waits

    async def later(self, context: Context) -> str:
        captures = context.captures
        try:
            found = await self.call.later(context)
            return await self.branches.chosen(found, context)
        finally:
            context.captures = captures


class Condition(Call[bool]):
    """One condition with its expanded strings."""

    __slots__ = ("sets",)

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: list[Node],
        *,
        wants_context: bool = False,
        is_async: bool = False,
        sets: bool = False,
    ) -> None:
        super().__init__(
            function, arguments, wants_context=wants_context, is_async=is_async
        )
        self.sets = sets


class Negation(Test):
    """A condition with an exclamation mark."""

    __slots__ = ("sets", "test", "waits")

    def __init__(self, test: Test) -> None:
        self.test = test
        self.waits = test.waits
        self.sets = may_set(test)

    def now(self, context: Context) -> bool:
        return not self.test.now(context)

    async def later(self, context: Context) -> bool:
        return not await self.test.later(context)


class Combination(Test):
    """``and`` and ``or``: conditions from left to right until one decides."""

    __slots__ = ("decisive", "sets", "tests", "waits")

    def __init__(self, tests: list[Test], *, decisive: bool) -> None:
        self.tests = tests
        self.decisive = decisive
        self.waits = any_waits(tests)
        self.sets = any(may_set(test) for test in tests)

    def now(self, context: Context) -> bool:
        decisive = self.decisive
        for test in self.tests:
            if test.now(context) is decisive:
                return decisive
        return not decisive

    async def later(self, context: Context) -> bool:
        for test in self.tests:
            if await test.later(context) is self.decisive:
                return self.decisive
        return not self.decisive


class ForItems(Test):
    """``forany`` and ``forall``: a condition on each item of a list, as ``$item``."""

    __slots__ = ("decisive", "sets", "split", "subject", "test", "waits")

    def __init__(
        self,
        subject: Node,
        test: Test,
        *,
        decisive: bool,
        split: Callable[[str], list[str]],
    ) -> None:
        self.subject = subject
        self.test = test
        self.decisive = decisive
        self.split = split
        self.waits = subject.waits or test.waits
        self.sets = may_set(test)

    async def later(self, context: Context) -> bool:
        items = self.split(await self.subject.later(context))
        item = context.values.get("item")
        try:
            for context.values["item"] in items:
                if await self.test.later(context) is self.decisive:
                    return self.decisive
            # As Exim does it, nothing holds for an empty list, not even ``forall``.
            return bool(items) and not self.decisive
        finally:
            put_back(context, "item", item)


class If(Node):
    """``${if condition {yes}{no}}``."""

    __slots__ = ("no", "sets", "test", "waits", "yes")

    def __init__(self, test: Test, yes: Node | None, no: Node | None) -> None:
        self.test = test
        self.yes = yes or TRUE
        self.no = no or NOTHING
        self.waits = any_waits([test, self.yes, self.no])
        self.sets = may_set(test)

    def now(self, context: Context) -> str:
        if not self.sets:
            return (self.yes if self.test.now(context) else self.no).now(context)
        saved = Saved(context, "value")
        try:
            return (self.yes if self.test.now(context) else self.no).now(context)
        finally:
            saved.restore()

    async def later(self, context: Context) -> str:
        saved = Saved(context, "value")
        try:
            holds = await self.test.later(context)
            return await (self.yes if holds else self.no).later(context)
        finally:
            saved.restore()


def may_set(test: Test) -> bool:
    """Return whether a condition may set ``$value`` or the captures."""
    return getattr(test, "sets", True)


def put_back(context: Context, name: str, value: str | None) -> None:
    """Give a value of a context back what it was; None where it was not set."""
    if value is None:
        context.values.pop(name, None)
    else:
        context.values[name] = value
