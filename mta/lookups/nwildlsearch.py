"""The nwildlsearch look-up: lines whose keys are patterns."""

from __future__ import annotations

from collections.abc import Mapping

from mta.errors import TemporaryFailure
from mta.interfaces import IResolver
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


def _patterns(content: bytes) -> list[tuple[Item, str]]:
    found = []
    for key, text in entries(content):
        item = parse_text_item(key)
        if item.waits:
            raise ValueError(f'a look-up as key is not supported: "{key}"')
        found.append((item, text))
    return found


@lookup("nwildlsearch", style=Style.SINGLE_KEY)
class WildLinearSearch(Lookup):
    """Finds the first line whose key, taken as a pattern, matches."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files = FileCache(_patterns)

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the data behind the pattern."""
        try:
            patterns = self._files.get(absolute(source, "nwildlsearch"))
        except OSError as error:
            raise unreadable(source, "linear search", error) from error
        except ValueError as error:
            text = f"{source}: {error}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        for item, text in patterns:
            if item.look(key) is not None:
                return text
        return None
