"""The items of ``dnslists``: a list's domain, the answers that count, the keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from mta.lists.host_names import plain_address
from mta.options import split_list
from mta.taint import carry

_ITEM = re.compile(r"([^=&!/]+)(?:(!?)(==|=&|=|&)([^/]*))?(?:/(.*))?\Z", re.DOTALL)


class Unknown(Enum):
    """What becomes of a key that cannot be looked up now."""

    INCLUDED = "+include_unknown"
    EXCLUDED = "+exclude_unknown"
    DEFERRED = "+defer_unknown"


class Restriction(NamedTuple):
    """Which addresses in an answer count.

    ``is_mask``: all bits of a value must be there; ``is_for_all``: each address of an
    answer must fit; ``is_negated`` turns the result round.
    """

    values: tuple[int, ...]
    is_mask: bool
    is_for_all: bool
    is_negated: bool

    def fits(self, addresses: Iterable[str]) -> bool:
        """Return whether an answer counts."""
        found = (self._fits(int(ipaddress.IPv4Address(each))) for each in addresses)
        return (all(found) if self.is_for_all else any(found)) is not self.is_negated

    def _fits(self, address: int) -> bool:
        if self.is_mask:
            return any(address & value == value for value in self.values)
        return address in self.values


class DNSList(NamedTuple):
    """One list to ask.

    ``domain`` is asked; ``told_domain`` is what the client is told of, and has the
    texts.  ``keys`` is None where the client's address is the key.
    """

    domain: str
    told_domain: str
    restriction: Restriction | None = None
    keys: tuple[str, ...] | None = None


def parse_items(text: str) -> list[Unknown | DNSList]:
    """Return the items of an expanded argument; raise ValueError."""
    items: list[Unknown | DNSList] = []
    for item in split_list(text):
        if item.startswith("+"):
            items.append(_word(item))
        elif item:
            items.append(_dns_list(item))
    return items


def _word(item: str) -> Unknown:
    try:
        return Unknown(item.lower())
    except ValueError:
        known = ", ".join(word.value for word in Unknown)
        raise ValueError(f'"{item[:100]}" is unknown; known: {known}') from None


def _dns_list(item: str) -> DNSList:
    match = _ITEM.match(item)
    if match is None:
        raise ValueError(f'"{item[:100]}" is not the domain of a list')
    names, negation, operator, values, keys = match.groups()
    told, comma, asked = (part.strip() for part in names.partition(","))
    restriction = None
    if operator is not None:
        restriction = Restriction(
            tuple(_address(value) for value in values.split(",")),
            operator.endswith("&"),
            operator in ("==", "=&"),
            bool(negation),
        )
    return DNSList(
        carry(asked if comma else told, item),
        carry(told, item),
        restriction,
        None if keys is None else tuple(split_list(carry(keys, item))),
    )


def _address(text: str) -> int:
    try:
        return int(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise ValueError(f'"{text.strip()[:100]}" is not an IPv4 address') from None


def query_name(key: str, domain: str) -> str:
    """Return the name to ask for: an IP address is turned round, a name is not."""
    try:
        address = ipaddress.ip_address(plain_address(key))
    except ValueError:
        return f"{key}.{domain}"
    if address.version == 4:
        parts = str(address).split(".")
    else:
        parts = list(address.exploded.replace(":", ""))
    return f"{'.'.join(reversed(parts))}.{domain}"
