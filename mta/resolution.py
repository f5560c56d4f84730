"""A resolver that is made when the first question comes, and what it obeys."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mta.expand.context import Context, Site
from mta.expand.option_types import DomainList, SubjectList
from mta.host import Answer
from mta.interfaces import IResolver
from mta.lookups.base import Lookups
from mta.options import Boolean, Configurable, Integer, Option, StringList


class DNSOptions(Configurable):
    """Whom to ask, and how far to believe it (Exim chapter 14)."""

    dns_dnssec_ok = Option(
        Integer, "-1", "0: never ask for DNSSEC, nothing is authenticated; else ask."
    )
    dns_servers = Option(
        StringList,
        None,
        "Resolvers to ask, as address, address:port or [address]:port (name another "
        "list separator then); by default those of /etc/resolv.conf.",
    )
    dns_trust_aa = Option(
        DomainList,
        None,
        "Zones that resolvers have themselves: what those that are believed say of them "
        "counts as authenticated by DNSSEC.",
    )
    dns_trust_ad = Option(
        Boolean,
        "false",
        "Believe resolvers on other machines, too, that records are authenticated.",
    )


class LateResolver:
    """Hands questions to a resolver that is made at the first one.

    Loading the DNS code and the reactor takes half a second that most commands
    need not spend.
    """

    def __init__(self, reactor: Callable[[], Any]) -> None:
        self._reactor = reactor
        self._servers: list[tuple[str, int]] | None = None
        self._resolver: IResolver | None = None
        self._facts: dict[str, Any] = {}

    def obey(self, options: DNSOptions) -> None:
        """Ask as the options say; raise ConfigurationError."""
        if options.dns_servers:
            try:
                self.use_servers(options.dns_servers)
            except ValueError as error:
                setting = options.settings["dns_servers"][-1]
                raise setting.source.error(str(error)) from error
        self._facts = {"dnssec": options.dns_dnssec_ok != 0}
        if options.dns_trust_ad:
            self._facts["is_trusted"] = lambda _ip_address: True

    def trust_zones(self, zones: SubjectList, site: Site) -> None:
        """Believe servers in what they say of zones of their own.

        Questions that the list itself asks are for a resolver that does not ask back.
        """
        plain = LateResolver(self._reactor)
        plain._servers, plain._facts = self._servers, self._facts

        async def is_own_zone(zone: str) -> bool:
            asking = replace(site, resolver=plain, lookups=Lookups.load(resolver=plain))
            return await zones.match(zone, Context(asking)) is not None

        self._facts = {**self._facts, "is_own_zone": is_own_zone}

    def use_servers(self, servers: Sequence[str]) -> None:
        """Ask these resolvers, each an address or [address]:port, and no others.

        Raises ValueError.
        """
        self._servers = [_server(text) for text in servers]

    @property
    def resolver(self) -> IResolver:
        """The resolver itself."""
        if self._resolver is None:
            from mta.dns import Resolver  # noqa: PLC0415 - see the class's docstring

            self._resolver = Resolver(
                self._reactor(), servers=self._servers, **self._facts
            )
        return self._resolver

    async def query(self, name: str, kind: str) -> Answer:
        """Return the records of one kind that a name has."""
        return await self.resolver.query(name, kind)

    async def addresses(
        self, name: str, *, ipv4: bool = True, ipv6: bool = True
    ) -> Answer:
        """Return the IP addresses of a name."""
        return await self.resolver.addresses(name, ipv4=ipv4, ipv6=ipv6)

    async def reverse(self, ip_address: str) -> Answer:
        """Return the names that PTR records give an IP address."""
        return await self.resolver.reverse(ip_address)

    async def system_addresses(self, name: str) -> Answer:
        """Return what the operating system says."""
        return await self.resolver.system_addresses(name)


def _server(text: str) -> tuple[str, int]:
    """Return address and port; raise ValueError."""
    address, port = text, "53"
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        address = address if bracket else text
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ipaddress.ip_address(address)
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError
    except ValueError:
        raise ValueError(
            f'"{text}" is not an IP address with or without a port (a colon separates '
            'items, unless the list begins like "<;")'
        ) from None
    return address, number
