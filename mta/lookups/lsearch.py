"""The lsearch look-up: a text file with a key and its data on each line."""

from __future__ import annotations

from collections.abc import Mapping

from mta.interfaces import IResolver
from mta.lists.files import FileCache
from mta.lookups.base import Lookup, Style, absolute, lookup, unreadable
from mta.lookups.linear import entries


def _by_key(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, text in entries(content):
        found.setdefault(key.lower(), text)
    return found


@lookup("lsearch", style=Style.SINGLE_KEY)
class LinearSearch(Lookup):
    """Finds the first line with the key, without regard to case."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files = FileCache(_by_key)

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the data behind a key."""
        try:
            return self._files.get(absolute(source, "lsearch")).get(key.lower())
        except OSError as error:
            raise unreadable(source, "linear search", error) from error
