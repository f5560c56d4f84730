"""The wildlsearch look-up: lines whose keys are expanded, and then are patterns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.option_types import template_of
from mta.interfaces import IResolver, ITemplate
from mta.lists.files import FileCache
from mta.lists.items import Item
from mta.lists.text_items import parse_text_item
from mta.lookups.base import (
    LOCAL_PROBLEM,
    Lookup,
    Style,
    absolute,
    lookup,
    unreadable,
)
from mta.lookups.linear import entries
from mta.options import Source

_item = lru_cache(maxsize=1024, typed=True)(parse_text_item)


def _lines(content: bytes) -> list[tuple[str, str]]:
    return list(entries(content))


@lookup("wildlsearch", style=Style.SINGLE_KEY)
class ExpandingLinearSearch(Lookup):
    """Finds the first line whose expanded key, taken as a pattern, matches."""

    wants_context = True

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files = FileCache(_lines)
        self._templates: dict[str, ITemplate] = {}

    async def find_in_context(
        self, source: str, key: str, options: Mapping[str, str], context: Any
    ) -> str | None:
        """Return the data behind the pattern."""
        try:
            lines = self._files.get(absolute(source, "wildlsearch"))
        except OSError as error:
            raise unreadable(source, "linear search", error) from error
        for written, text in lines:
            try:
                pattern = await self._template(written, source, context).expand(context)
            except ForcedFailure:
                continue
            item = _parsed(pattern, source)
            # An item that looks something up has the context for its scope.
            match = await item.ask(key, context) if item.waits else item.look(key)
            if match is not None:
                return text
        return None

    def _template(self, written: str, path: str, context: Any) -> ITemplate:
        template = self._templates.get(written)
        if template is None:
            place = Source(path, option="key", language=context.site.language)
            template = self._templates[written] = template_of(written, place)
        return template


def _parsed(pattern: str, path: str) -> Item:
    try:
        return _item(pattern)
    except ValueError as error:
        text = f"{path}: {error}"
        raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
