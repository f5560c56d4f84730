"""The json look-up: an element of a file with JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mta.errors import TemporaryFailure
from mta.interfaces import IResolver
from mta.lists.files import FileCache
from mta.lookups.base import (
    LOCAL_PROBLEM,
    Lookup,
    Style,
    absolute,
    lookup,
    unreadable,
)
from mta.options import split_list


@lookup("json", style=Style.SINGLE_KEY)
class JSONFile(Lookup):
    """Finds the element that a list of names and numbers leads to."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files: FileCache[Any] = FileCache(json.loads)

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return a string as it is, anything else as JSON."""
        try:
            element = self._files.get(absolute(source, "json"))
        except OSError as error:
            raise unreadable(source, "json search", error) from error
        except (ValueError, RecursionError) as error:
            text = f"{source}: {error}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        for selector in split_list(key):
            if isinstance(element, list) and selector.isdecimal():
                position = int(selector)
                if position >= len(element):
                    return None
                element = element[position]
            elif isinstance(element, dict) and selector in element:
                element = element[selector]
            else:
                return None
        return element if isinstance(element, str) else json.dumps(element)
