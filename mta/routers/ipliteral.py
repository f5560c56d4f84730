"""The ipliteral router (Exim chapter 18)."""

from __future__ import annotations

from mta.expand.context import Context
from mta.host import Host
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict, router
from mta.routers.target_hosts import HostFinder, ip_literal, route_to_self


@router("ipliteral")
class IPLiteral(Router):
    """Sends mail for ``user@[192.0.2.1]`` to the host with that address."""

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Accept a domain that is an IP address in brackets."""
        domain = address.domain
        if not domain.startswith("[") or not domain.endswith("]"):
            return Decision(Verdict.DECLINE)
        text = domain[1:-1].removeprefix("ipv6:").removeprefix("ipv4:")
        ip_address = ip_literal(text)
        if not ip_address:
            return Decision(Verdict.DECLINE)
        finder = HostFinder(self, context)
        host = Host(ip_address, ip_address, unasked=True)
        if await finder.is_ignored(host):
            return Decision(Verdict.DECLINE)
        if finder.is_self(host):
            decision = route_to_self(self, address, host)
            if decision is not None:
                return decision
        address.hosts = [host]
        return Decision(Verdict.ACCEPT)
