"""Lists of hosts (Exim chapter 10, "Host lists")."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any

from mta.connection import Connection
from mta.errors import TemporaryFailure
from mta.host import Host, Outcome
from mta.lists.host_names import forward_addresses, look_up_host_name, plain_address
from mta.lists.items import Grammar, Item, ListKind, Match, UnknownHost
from mta.lists.text_items import LookupItem, parse_text_item
from mta.taint import is_tainted, quoted


@dataclass(slots=True)
class HostSubject:
    """The host that is looked for: a client, or a host to deliver to.

    ``ip_address`` is empty for a local caller.  ``names`` is None where they must be
    found through the ``connection``.  With neither it is an address alone, and where a
    list names a host nothing more matches.
    """

    ip_address: str
    names: tuple[str, ...] | None = ()
    connection: Connection | None = None
    _number: tuple[int, int] | None = None

    @classmethod
    def client(cls, connection: Connection) -> HostSubject:
        """Return the subject for whoever is at the other end of a connection."""
        return cls(plain_address(connection.peer_address), None, connection)

    @classmethod
    def target(cls, host: Host) -> HostSubject:
        """Return the subject for a host to deliver to."""
        return cls(plain_address(host.ip_address), (host.name,))

    @property
    def number(self) -> tuple[int, int]:
        """The bits of an address and its value; no bits for a local caller."""
        if self._number is None:
            self._number = address_number(self.ip_address)
        return self._number

    async def all_names(self, scope: Any) -> tuple[str, ...]:
        """Return every name of the host.

        Raises UnknownHost, or TemporaryFailure where it may be known later.
        """
        connection = self.connection
        if self.names is None and connection is not None:
            name = await look_up_host_name(connection, scope.site.resolver)
            if not name and connection.host_lookup_deferred:
                text = f"host name look-up of {self.ip_address} did not complete"
                raise TemporaryFailure("host lookup did not complete", log_text=text)
            self.names = (name, *connection.host_aliases) if name else ()
        if not self.names:
            raise UnknownHost(f"failed to find host name for {self.ip_address}")
        return self.names


def address_number(ip_address: str) -> tuple[int, int]:
    """Return ``(32 or 128, value)`` of an IP address, ``(0, 0)`` for other text."""
    family = socket.AF_INET6 if ":" in ip_address else socket.AF_INET
    try:
        octets = socket.inet_pton(family, ip_address.partition("%")[0])
    except (OSError, ValueError):
        return 0, 0
    return len(octets) * 8, int.from_bytes(octets, "big")


class AnyHost(Item):
    """``*``: every host, and none."""

    def look(self, subject: HostSubject) -> Match | None:
        """Match."""
        return Match("*")


class LocalCaller(Item):
    """An empty item: no remote host is involved."""

    def look(self, subject: HostSubject) -> Match | None:
        """Match where there is no address."""
        return None if subject.ip_address else Match("")


class Addresses(Item):
    """IP addresses of which one must be the host's."""

    def __init__(self, text: str, number: tuple[int, int]) -> None:
        self._matches = {number: Match(text)}

    def look(self, subject: HostSubject) -> Match | None:
        """Match an equal address."""
        return self._matches.get(subject.number)

    def absorb(self, following: Item) -> bool:
        """Keep adjacent addresses in one dictionary."""
        if type(following) is not Addresses:
            return False
        for number, match in following._matches.items():
            self._matches.setdefault(number, match)
        return True


class Network(Item):
    """``address/bits``: the host is in a network."""

    def __init__(self, text: str, number: tuple[int, int], mask_length: int) -> None:
        self._match = Match(text)
        self._bits, value = number
        self._shift = self._bits - mask_length
        if not 0 <= mask_length <= self._bits:
            raise ValueError(f"mask length out of range in {text}")
        self._prefix = value >> self._shift

    def look(self, subject: HostSubject) -> Match | None:
        """Match an address that begins with the same bits."""
        bits, value = subject.number
        if bits != self._bits or value >> self._shift != self._prefix:
            return None
        return self._match


class LocalAddresses(Item):
    """``@[]``: the host's address is one of this machine."""

    waits = True

    async def ask(self, subject: HostSubject, scope: Any) -> Match | None:
        """Compare with the local addresses."""
        is_local = subject.ip_address in scope.site.local_addresses
        return Match("@[]") if is_local else None


class HostName(Item):
    """A plain name, or ``@`` for our own: one of its addresses is the host's."""

    waits = True

    def __init__(self, text: str) -> None:
        self._text = text

    async def ask(self, subject: HostSubject, scope: Any) -> Match | None:
        """Look the name up and compare."""
        if not subject.ip_address:
            return None
        if subject.connection is None and not subject.names:
            raise UnknownHost(f"only an address is compared, not {self._text}")
        name = scope.site.primary_hostname if self._text == "@" else self._text
        if subject.names and subject.names[0].lower() == name.lower():
            return Match(self._text)
        answer = await forward_addresses(name, scope.site.resolver)
        if answer.outcome is Outcome.AGAIN:
            text = f"look-up of the address of {name} did not complete"
            raise TemporaryFailure("host lookup did not complete", log_text=text)
        if not answer.records:
            raise UnknownHost(f"failed to find IP address for {name}")
        for found in answer.records:
            if address_number(plain_address(str(found))) == subject.number:
                return Match(self._text)
        return None


class NamePattern(Item):
    """``*.end``, ``^regex`` or a look-up, for the host's verified names."""

    waits = True

    def __init__(self, item: Item) -> None:
        self._item = item

    async def ask(self, subject: HostSubject, scope: Any) -> Match | None:
        """Try each name of the host."""
        if not subject.ip_address:
            return None
        for name in await subject.all_names(scope):
            found = await self._item.ask(name, scope)
            if found is not None:
                return found
        return None


class HostLookup(Item):
    """``type;data`` by name or query, ``net-type;data`` by address."""

    waits = True
    _PREFIX = re.compile(r"net(\d*)-")

    def __init__(self, text: str) -> None:
        prefix = self._PREFIX.match(text)
        self._mask_length = -1
        if prefix is not None:
            text = text[prefix.end() :]
            self._mask_length = int(prefix[1] or "-1")
        self._by_address = prefix is not None
        self._lookup = LookupItem(text)
        self._by_name = NamePattern(self._lookup)
        self._separator = ":" if text.startswith("iplsearch") else "."

    async def ask(self, subject: HostSubject, scope: Any) -> Match | None:
        """Match what is found."""
        if self._lookup.is_query(scope):
            return await self._lookup.ask("", scope)
        if not self._by_address:
            return await self._by_name.ask(subject, scope)
        if not subject.number[0]:
            return None
        key = address_key(subject.ip_address, self._mask_length, self._separator)
        return await self._lookup.ask(key, scope)


def address_key(ip_address: str, mask_length: int, separator: str) -> str:
    """Return the key under which look-ups keep an address or its network.

    A negative mask length means the address alone.  IPv6 addresses are written in
    full with the separator for colons.
    """
    address = ipaddress.ip_address(plain_address(ip_address))
    ending = ""
    if mask_length >= 0:
        length = min(mask_length, address.max_prefixlen)
        network = ipaddress.ip_network((address, length), strict=False)
        address, ending = network.network_address, f"/{mask_length}"
    return address.exploded.replace(":", separator) + ending


def _parse_item(text: str, grammar: Grammar) -> Item:
    if text == "":
        return LocalCaller()
    if text == "*":
        return AnyHost()
    if text.startswith("@"):
        if is_tainted(text):
            raise ValueError(f"tainted item {quoted(text)} in a host list")
        if text == "@[]":
            return LocalAddresses()
        if text == "@":
            return HostName(text)
        raise ValueError(f"unknown item {quoted(text)} in a host list")
    if text.startswith(("^", "*")):
        return NamePattern(parse_text_item(text))
    if ";" in text:
        return HostLookup(text)
    address, slash, mask = text.partition("/")
    number = address_number(plain_address(address))
    if slash:
        if not number[0] or not mask.isdecimal():
            raise ValueError(f"malformed IP network {quoted(text)} in a host list")
        return Network(text, number, int(mask))
    return Addresses(text, number) if number[0] else HostName(text)


HOSTS = Grammar(ListKind.HOST, _parse_item, knows_trouble=True)
