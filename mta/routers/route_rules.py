"""Routing rules of manualroute: patterns, hosts and options (Exim chapter 20)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from mta.errors import ExpansionError
from mta.expand.option_types import template_of
from mta.expand.quoting import unquoted
from mta.interfaces import ITemplate
from mta.lists.domain_list import DOMAINS
from mta.lists.items import ItemList
from mta.lists.text_items import LookupItem
from mta.options import Source, split_list
from mta.taint import carry, untainted

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s|\Z)', re.DOTALL)
_SWITCHES = {
    "randomize": ("randomize", True),
    "no_randomize": ("randomize", False),
    "byname": ("look_up", "only"),
    "bydns": ("look_up", "no"),
    "ipv4_only": ("ipv4_only", True),
    "ipv4_prefer": ("ipv4_first", True),
}


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """What may follow the hosts of a rule.

    ``look_up`` says whether the operating system is asked for addresses: ``no``,
    ``only``, or ``after`` the DNS did not know the name.
    """

    transport: str = ""
    randomize: bool | None = None
    look_up: str = "after"
    ipv4_only: bool = False
    ipv4_first: bool = False


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One rule of ``route_list``."""

    pattern: ItemList
    is_lookup: bool
    hosts: ITemplate
    options: RuleOptions


def first_word(text: str) -> tuple[str, str]:
    """Return a word, without the quotes that it may have, and the rest."""
    text = text.strip()
    match = _QUOTED.match(text)
    if match is not None:
        return carry(unquoted(match[0]), text), text[match.end() :].strip()
    words = text.split(None, 1)
    return (words[0] if words else ""), (words[1] if len(words) > 1 else "")


def rule_options(text: str) -> RuleOptions:
    """Return the options of a rule; raise ValueError for two transports."""
    options = RuleOptions()
    for word in text.split():
        if word in _SWITCHES:
            name, value = _SWITCHES[word]
            changes: dict[str, Any] = {name: value}
            options = replace(options, **changes)
        elif options.transport:
            raise ValueError(f'unknown routing option "{word}"')
        else:
            options = replace(options, transport=untainted(word, "transport name"))
    return options


class _RouteListType:
    name = "route list"

    def parse(self, text: str, source: Source) -> list[RouteRule]:
        """Return the rules."""
        try:
            return [_rule(item, source) for item in split_list(text, ";") if item]
        except ValueError as error:
            raise source.error(str(error)) from error


RouteList = _RouteListType()


def _rule(text: str, source: Source) -> RouteRule:
    pattern, rest = first_word(text)
    if pattern == "!":
        following, rest = first_word(rest)
        pattern += following
    if pattern.lstrip("!").startswith("/"):
        raise ValueError(f'the pattern of a rule may not be a file: "{pattern}"')
    item = DOMAINS.item(pattern)
    hosts, options = first_word(rest)
    return RouteRule(
        ItemList([item]),
        isinstance(item, LookupItem),
        template_of(hosts, source),
        rule_options(options),
    )


@dataclass(frozen=True, slots=True)
class HostItem:
    """One item of a list of hosts: a name or IP address, ``/MX``, and a port."""

    name: str
    port: int | None = None
    by_mx: bool = False


def host_item(text: str) -> HostItem:
    """Return the parts of a host item; raise ExpansionError."""
    name, port = text, ""
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ExpansionError(f'malformed host item "{text}"')
        port = rest[1:]
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ExpansionError(f'invalid port in host item "{text}"')
    name = name.strip()
    by_mx = name[-3:].lower() == "/mx"
    if by_mx:
        name = name[:-3]
    if not name:
        raise ExpansionError(f'malformed host item "{text}"')
    return HostItem(str(name), int(port) if port else None, by_mx)


def in_random_order(items: list[str], shuffle: Any) -> list[str]:
    """Return a list of hosts, each group between ``+`` items in random order."""
    result: list[str] = []
    group: list[str] = []
    for item in [*items, "+"]:
        if item == "+":
            shuffle(group)
            result += group
            group = []
        else:
            group.append(item)
    return result
