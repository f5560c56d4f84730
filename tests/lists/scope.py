"""What lists see, for tests: named lists, look-ups, a DNS."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from mta.errors import ExpansionError
from mta.lists.matching import ListKind, Match, match_list
from mta.testing import FakeResolver, MemoryLogs, MemoryLookups, result_of


class Scope:
    """A stand-in for the expansion's context."""

    def __init__(
        self,
        *,
        lists: Mapping[str, str] = {},
        records: Mapping[tuple[str, str], Any] = {},
        lookups: Mapping[tuple[str, str], Mapping[str, str]] = {},
        selectors: tuple[str, ...] = (),
    ) -> None:
        self.lists = dict(lists)
        self.logs = MemoryLogs(selectors)
        self.resolver = FakeResolver(records)
        self.site = SimpleNamespace(
            primary_hostname="mx.example.com",
            local_addresses=frozenset(("127.0.0.1", "::1", "192.0.2.1")),
            resolver=self.resolver,
            lookups=MemoryLookups(lookups),
            logs=self.logs,
        )

    async def named_list(self, kind: str, name: str) -> str:
        """Return the text of a list by ``kind:name``."""
        try:
            return self.lists[f"{kind}:{name}"]
        except KeyError:
            raise ExpansionError(f'unknown named {kind} list "+{name}"') from None


def match(
    kind: ListKind,
    text: str,
    subject: Any,
    scope: Scope | None = None,
    *,
    caseful: bool = False,
) -> Match | None:
    """Match without waiting."""
    return result_of(match_list(kind, text, subject, scope or Scope(), caseful=caseful))
