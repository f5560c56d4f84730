"""The tree that a string becomes: its parts, and how each gives its text.

A part that never waits for anything is evaluated by ``now``, which costs little;
one that may wait (a look-up, a command) by ``later``.  Each class needs to define
one of the two only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from mta.coroutines import StillWaits, at_once
from mta.errors import ExpansionError, ForcedFailure
from mta.expand.context import Context
from mta.taint import Tainted, carry

T = TypeVar("T")


class UndefinedVariable(ExpansionError):
    """A variable that may be set at run time was not, and that is an error."""


class Part(Generic[T]):
    """A piece of a parsed string; ``waits`` says that ``now`` cannot be used."""

    __slots__ = ()
    waits = False

    def now(self, context: Context) -> T:
        """Return the part's value without waiting."""
        try:
            return at_once(self.later(context))
        except StillWaits as error:
            text = "part of the string waits where nothing may wait"
            raise ExpansionError(text) from error

    async def later(self, context: Context) -> T:
        """Return the part's value, waiting for it where need be."""
        return self.now(context)


Node = Part[str]
Test = Part[bool]


def any_waits(parts: Iterable[Part[Any]]) -> bool:
    """Return whether one of the parts may have to wait."""
    return any(part.waits for part in parts)


class Literal(Node):
    """Text that stands for itself."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def now(self, context: Context) -> str:
        return self.text


class Fail(Node):
    """The word ``fail`` in the place of a string (Exim chapter 11)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def now(self, context: Context) -> str:
        raise ForcedFailure(self.text)


class Variable(Node):
    """The value of a variable; None counts as empty."""

    __slots__ = ("function", "waits")

    def __init__(self, function: Callable[[Context], Any], waits: bool) -> None:
        self.function = function
        self.waits = waits

    def now(self, context: Context) -> str:
        return self.function(context) or ""

    async def later(self, context: Context) -> str:
        value = self.function(context)
        return (await value if self.waits else value) or ""


class FamilyVariable(Node):
    """One of the variables whose names an administrator makes up."""

    __slots__ = ("function", "name")

    def __init__(self, function: Callable[[Context, str], str], name: str) -> None:
        self.function = function
        self.name = name

    def now(self, context: Context) -> str:
        return self.function(context, self.name)


class Capture(Node):
    """What a match caught: ``$0``, ``$1`` and so on."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def now(self, context: Context) -> str:
        captures = context.captures
        return captures[self.number] if self.number < len(captures) else ""


def step_of(part: Node) -> str | Callable[[Context], str]:
    """Return the shortest way to a part's value: itself, or what to call for it."""
    if isinstance(part, Literal):
        return part.text
    return part.function if isinstance(part, Variable) else part.now


class Concatenation(Node):
    """Several parts, one after the other; one tainted part taints the whole."""

    __slots__ = ("parts", "steps", "waits")

    def __init__(self, parts: list[Node]) -> None:
        self.parts = parts
        self.waits = any_waits(parts)
        self.steps = [step_of(part) for part in parts]

    def now(self, context: Context) -> str:
        texts = [
            step if step.__class__ is str else step(context) or ""  # type: ignore[operator]
            for step in self.steps
        ]
        for text in texts:
            if text.__class__ is Tainted:
                return Tainted("".join(texts))
        return "".join(texts)

    async def later(self, context: Context) -> str:
        texts = [
            await part.later(context) if part.waits else part.now(context)
            for part in self.parts
        ]
        return carry("".join(texts), *texts)


class Call(Part[T]):
    """A function of expanded strings, which may also want the context."""

    __slots__ = ("arguments", "function", "is_async", "waits", "wants_context")

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: list[Node],
        *,
        wants_context: bool = False,
        is_async: bool = False,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.wants_context = wants_context
        self.is_async = is_async
        self.waits = is_async or any_waits(arguments)

    def now(self, context: Context) -> T:
        texts = [argument.now(context) for argument in self.arguments]
        if self.wants_context:
            return self._finished(self.function(context, *texts), texts)
        return self._finished(self.function(*texts), texts)

    async def later(self, context: Context) -> T:
        texts = [await argument.later(context) for argument in self.arguments]
        if self.wants_context:
            result = self.function(context, *texts)
        else:
            result = self.function(*texts)
        return self._finished(await result if self.is_async else result, texts)

    def _finished(self, result: Any, texts: list[str]) -> T:
        """Return the result as it leaves the call."""
        finished: T = result
        return finished


class TextCall(Call[str]):
    """A call whose result is made from its arguments, and so is as tainted."""

    __slots__ = ()

    def _finished(self, result: Any, texts: list[str]) -> str:
        return carry(result, *texts)


class FindingCall(Call["str | None"]):
    """A call that picks something out of its arguments; None if it is not there."""

    __slots__ = ()

    def _finished(self, result: Any, texts: list[str]) -> str | None:
        return None if result is None else carry(result, *texts)


class Operation(Node):
    """An operator on one string, with the argument that its name held, if any."""

    __slots__ = ("function", "subject", "waits")

    def __init__(self, function: Callable[[str], str], subject: Node) -> None:
        self.function = function
        self.subject = subject
        self.waits = subject.waits

    def now(self, context: Context) -> str:
        subject = self.subject.now(context)
        result = self.function(subject)
        return Tainted(result) if subject.__class__ is Tainted else result

    async def later(self, context: Context) -> str:
        subject = await self.subject.later(context)
        return carry(self.function(subject), subject)
