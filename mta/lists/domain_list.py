"""Lists of domains (Exim chapter 10, "Domain lists")."""

from __future__ import annotations

import ipaddress
from typing import Any

from mta.errors import TemporaryFailure
from mta.host import Outcome
from mta.lists.host_list import HOSTS, HostSubject
from mta.lists.items import Grammar, Item, ItemList, ListKind, Match, parsed
from mta.lists.text_items import parse_text_item
from mta.taint import is_tainted, quoted


class PrimaryName(Item):
    """``@``: the domain is the name of this host."""

    waits = True

    async def ask(self, subject: str, scope: Any) -> Match | None:
        """Compare with ``primary_hostname``."""
        name: str = scope.site.primary_hostname
        return Match(name, (subject,)) if subject.lower() == name.lower() else None


class LocalLiteral(Item):
    """``@[]``: the domain is a literal of one of this host's addresses."""

    waits = True

    async def ask(self, subject: str, scope: Any) -> Match | None:
        """Compare the address in the brackets with the local ones."""
        if not subject.startswith("[") or not subject.endswith("]"):
            return None
        text = str(subject[1:-1])
        if text[:5].lower() == "ipv6:":
            text = text[5:]
        try:
            ip_address = str(ipaddress.ip_address(text))
        except ValueError:
            return None
        if ip_address not in scope.site.local_addresses:
            return None
        return Match("@[]", (subject,))


class LocalMailHost(Item):
    """``@mx_any``, ``@mx_primary``, ``@mx_secondary``: mail hosts that are this one."""

    waits = True

    def __init__(self, text: str) -> None:
        self._text = text
        self._rank, slash, option = text[4:].partition("/")
        name, _, ignored = option.partition("=")
        if self._rank not in ("any", "primary", "secondary"):
            raise ValueError(f"unknown item {text}")
        if slash and name.strip() != "ignore":
            raise ValueError(f"unknown option in {text}")
        self._ignored: ItemList | None = parsed(ignored, HOSTS) if slash else None

    async def ask(self, subject: str, scope: Any) -> Match | None:
        """Look for this host among the domain's mail hosts."""
        answer = await scope.site.resolver.query(subject, "MX")
        if answer.outcome is Outcome.AGAIN:
            raise TemporaryFailure(
                "host lookup did not complete",
                log_text=f"MX lookup of {quoted(subject)} for {self._text} did not complete",
            )
        if not answer.records:
            return None
        lowest = min(preference for preference, _ in answer.records)
        ours = [
            preference
            for preference, name in sorted(answer.records)
            if await self._is_local(name, scope)
        ]
        if not ours:
            return None
        if self._rank != "any" and (ours[0] == lowest) != (self._rank == "primary"):
            return None
        return Match(self._text, (subject,))

    async def _is_local(self, name: str, scope: Any) -> bool:
        answer = await scope.site.resolver.addresses(name)
        if answer.outcome is Outcome.AGAIN:
            raise TemporaryFailure(
                "host lookup did not complete",
                log_text=f"lookup of {name} for {self._text} did not complete",
            )
        for ip_address in answer.records:
            host = HostSubject(ip_address, (name,))
            if self._ignored and await self._ignored.match(host, scope):
                continue
            if ip_address in scope.site.local_addresses:
                return True
        return False


def _parse_item(text: str, grammar: Grammar) -> Item:
    if not text.startswith("@"):
        return parse_text_item(text)
    if is_tainted(text):
        raise ValueError(f"tainted item {quoted(text)} in a domain list")
    if text == "@":
        return PrimaryName()
    if text == "@[]":
        return LocalLiteral()
    if text.startswith("@mx_"):
        return LocalMailHost(text)
    raise ValueError(f"unknown item {quoted(text)} in a domain list")


DOMAINS = Grammar(ListKind.DOMAIN, _parse_item)
