"""The item that looks something up in a file or a database."""

from __future__ import annotations

import re

from mta.errors import ExpansionError
from mta.expand.choices import Finding
from mta.expand.context import Context
from mta.expand.nodes import Literal, Node, Part
from mta.expand.registry import item
from mta.expand.syntax import Reader

_TYPE = re.compile(r"[^{}\s]*")


@item("lookup", reads=True)
def lookup(reader: Reader) -> Node:
    """What a file or a database has for a key or a query."""
    key = reader.string('in "lookup"') if reader.peek() == "{" else None
    reader.peek()
    type_text = reader.take(_TYPE)
    if not type_text:
        raise reader.error('look-up type expected in "lookup"')
    _check_style(reader, type_text, has_key=key is not None)
    operand = reader.string(f'for the look-up type "{type_text}"')
    if key is None:
        call = Lookup(type_text, Literal(""), operand)
    else:
        call = Lookup(type_text, operand, key)
    return Finding(call, reader.branches("lookup"))


def _check_style(reader: Reader, type_text: str, *, has_key: bool) -> None:
    lookups = reader.language.lookups
    if lookups is None:
        return
    try:
        is_query = lookups.is_query(type_text)
    except ExpansionError as error:
        raise reader.error(str(error)) from error
    if is_query and has_key:
        raise reader.error(f'a single key was given for "{type_text}", a query look-up')
    if not is_query and not has_key:
        raise reader.error(f'missing {{key}} for the look-up type "{type_text}"')


class Lookup(Part["str | None"]):
    """A look-up of an expanded key, or query, in an expanded source."""

    __slots__ = ("key", "source", "type_text")
    waits = True

    def __init__(self, type_text: str, source: Node, key: Node) -> None:
        self.type_text = type_text
        self.source = source
        self.key = key

    async def later(self, context: Context) -> str | None:
        key = await self.key.later(context)
        source = await self.source.later(context)
        lookups = context.site.lookups
        if lookups is None:
            raise ExpansionError("nothing can be looked up here")
        found = await lookups.find(self.type_text, source.strip(), key, context)
        captures = getattr(found, "captures", None)
        if captures is not None:
            # The two parts of a partial match; the choice puts back what was.
            context.captures = (key, *captures)
        result: str | None = found
        return result
