"""The expansion language: how its words are declared, and all of them together."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import mta.expand.conditions
import mta.expand.items
import mta.expand.operators
import mta.expand.variables
from mta.expand.nodes import Capture, FamilyVariable, Node, Variable
from mta.expand.syntax import Template, parse_template
from mta.interfaces import (
    IExpansionCondition,
    IItem,
    ILookups,
    IOperator,
    IVariable,
)
from mta.options import Source
from mta.plugins import extension, find

_operator = extension(IOperator)
_item = extension(IItem)
_expansion_condition = extension(IExpansionCondition)
_variable = extension(IVariable)

T = TypeVar("T")


class Declaration(Protocol):
    """What marks a function as an extension and returns it."""

    def __call__(self, extension: T, /) -> T: ...


def operator(
    name: str,
    *,
    argument: Callable[[str], Any] | None = None,
    context: bool = False,
    waits: bool = False,
    taints: bool = True,
) -> Declaration:
    """Declare a function ``(subject) -> str`` for ``${name:subject}``.

    ``argument`` parses what stands behind an underscore (``${name_4:subject}``, or
    nothing) when the configuration is read, and may raise ValueError; its result
    then follows the subject.  With ``context`` the Context comes first.  ``waits``:
    the function is a coroutine.  With ``taints`` the result is as tainted as the
    subject; without, it holds nothing that an outsider chose.
    """
    return _operator(
        name, argument=argument, context=context, waits=waits, taints=taints
    )


def item(
    name: str,
    *,
    least: int = 0,
    most: int = 0,
    branches: bool = False,
    context: bool = False,
    waits: bool = False,
    taints: bool = True,
    reads: bool = False,
    like_variable: bool = False,
) -> Declaration:
    """Declare ``${name{...}{...}}``: a function of its expanded strings.

    ``least`` and ``most`` say how many strings there are.  With ``branches``,
    ``{yes}{no}`` may follow, and the function gives None for "no".  ``context``,
    ``waits`` and ``taints`` are as for operators.  With ``reads`` the function is given the Reader
    instead, when the configuration is read, and returns a Node.  One that is
    ``like_variable`` may also be written ``$name{...}``.
    """
    return _item(
        name,
        least=least,
        most=most,
        branches=branches,
        context=context,
        waits=waits,
        taints=taints,
        reads=reads,
        like_variable=like_variable,
    )


def expansion_condition(
    name: str,
    *,
    arguments: int = 0,
    raw_last: bool = False,
    sets: bool = False,
    context: bool = False,
    waits: bool = False,
    reads: bool = False,
) -> Declaration:
    """Declare a condition of ``${if``: a function of its expanded strings to bool.

    ``raw_last``: the last string is not expanded.  ``sets``: it may set ``$value``
    or the captures.  With ``reads`` the function is given the Reader, and returns a
    Test.
    """
    return _expansion_condition(
        name,
        arguments=arguments,
        raw_last=raw_last,
        sets=sets,
        context=context,
        waits=waits,
        reads=reads,
    )


def variable(name: str, *, waits: bool = False, names: str = "") -> Declaration:
    """Declare a function ``(context) -> str | None`` for ``$name``.

    ``waits``: the function is a coroutine.  ``names`` is a regular expression for
    the names of a whole family; the function is then also given the name.
    """
    return _variable(name, waits=waits, names=names)


class Language:
    """All items, operators, conditions and variables; makes templates of strings.

    Where ``lookups`` are known, the types of look-ups are checked when a string is
    parsed, and else when they are used.
    """

    def __init__(
        self,
        *,
        items: dict[str, Any],
        operators: dict[str, Any],
        conditions: dict[str, Any],
        variables: dict[str, Any],
    ) -> None:
        self.lookups: ILookups | None = None
        self.items = items
        self.operators = operators
        self.conditions = conditions
        self.variables = {
            name: function for name, function in variables.items() if not function.names
        }
        self.families = [
            (re.compile(function.names), function)
            for function in variables.values()
            if function.names
        ]

    @classmethod
    def load(cls) -> Language:
        """Return the language with every extension that can be found."""
        return cls(
            items=find(IItem, mta.expand.items),
            operators=find(IOperator, mta.expand.operators),
            conditions=find(IExpansionCondition, mta.expand.conditions),
            variables=find(IVariable, mta.expand.variables),
        )

    def template(self, text: str, source: Source) -> Template:
        """Return the parsed string; raise ConfigurationError naming the place."""
        return parse_template(text, source, self)

    def variable(self, name: str) -> Node | None:
        """Return what gives the variable's value, or None for an unknown one."""
        function = self.variables.get(name)
        if function is not None:
            return Variable(function, function.waits)
        if name.isdecimal() and name.isascii() and len(name) <= 2:
            return Capture(int(name))
        for pattern, function in self.families:
            if pattern.fullmatch(name):
                return FamilyVariable(function, name)
        return None
