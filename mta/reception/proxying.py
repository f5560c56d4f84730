"""The PROXY layer of a listener: who must send a header, and what the log says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Coroutine
from typing import Any

from mta.expand.context import Context, Site
from mta.interfaces import ILogs
from mta.options import split_list
from mta.proxy.factory import ProxyFactory, Tally
from mta.reception.connections import Connections
from mta.reception.extensions import matches
from mta.reception.opening import TOO_MANY_FROM_HOST
from mta.reception.protocol import TOO_MANY
from mta.reception.proxy_log import ProxyLog
from mta.reception.proxy_options import ProxyOptions
from mta.reception.server import ESMTPFactory

# Whose a connection is that waits for its header is not known yet.
NOBODY = ""
REMEMBERED_LIMIT = 1000

Decision = Callable[[Any], Coroutine[Any, Any, bool]]


class WaitingRoom:
    """Counts connections that wait for their header among all others."""

    def __init__(self, connections: Connections, maximum: int) -> None:
        self._connections = connections
        self._maximum = maximum

    def enter(self) -> bool:
        """Count a connection; return whether there is room for it."""
        self._connections.enter(NOBODY)
        return not 0 < self._maximum < self._connections.count

    def leave(self) -> None:
        """Count one less: the server counts it from now on, or it has ended."""
        self._connections.leave(NOBODY)


class ServerBehindProxies(ProxyFactory):
    """The SMTP server with the PROXY layer before it."""

    wrapped: ESMTPFactory

    async def wind_down(self) -> None:
        """Dismiss every client, since the process ends."""
        self.abort_waiting()
        await self.wrapped.wind_down()


def names_only_addresses(text: str) -> bool:
    """Return whether a host list has IP addresses and networks and nothing else."""
    if "$" in text or "\\" in text:
        return False
    try:
        for item in split_list(text):
            if item != "*":
                ipaddress.ip_network(item.removeprefix("!").strip(), strict=False)
    except ValueError:
        return False
    return True


def _knows_nobody(_ip_address: str) -> None:
    return None


class Remembered:
    """Decides once for each address, and then knows."""

    def __init__(self, decide: Decision) -> None:
        self._decide = decide
        self._known: dict[str, bool] = {}
        self.knows = self._known.get

    async def decide(self, transport: Any) -> bool:
        """Return whether the peer of a connection must send a header."""
        address = transport.getPeer().host
        found = self._known.get(address)
        if found is None:
            found = await self._decide(transport)
            if len(self._known) >= REMEMBERED_LIMIT:
                self._known.clear()
            self._known[address] = found
        return found


def behind_proxies(
    factory: ESMTPFactory,
    *,
    options: ProxyOptions,
    site: Site,
    logs: ILogs,
    clock: Any,
    proxies: Tally,
) -> ESMTPFactory | ServerBehindProxies:
    """Return the factory with the PROXY layer before it, where proxies are named.

    ``proxies`` counts the connections of each proxy for all listeners together.
    Where TLS begins at once there is no clear text in which to tell of a failure:
    the connection is then closed.
    """
    hosts = options.hosts_proxy
    if hosts is None:
        return factory

    async def is_listed(transport: Any) -> bool:
        return await matches(hosts, Context(site, factory.describe(transport)))

    remembered = Remembered(is_listed)
    is_constant = names_only_addresses(hosts.text)
    log = ProxyLog(logs, speaks=not factory.tls_on_connect)
    return ServerBehindProxies(
        factory,
        requires=remembered.decide if is_constant else is_listed,
        knows=remembered.knows if is_constant else _knows_nobody,
        clock=clock,
        timeout=options.proxy_protocol_timeout,
        serves_failures=not factory.tls_on_connect,
        report=log.report,
        failed=log.failed,
        tally=proxies,
        maximum=options.smtp_accept_max_per_proxy,
        refusal=b"" if factory.tls_on_connect else TOO_MANY_FROM_HOST.encode(),
        room=WaitingRoom(factory.limits, factory.shared.options.smtp_accept_max),
        crowded=b"" if factory.tls_on_connect else TOO_MANY.encode(),
    )
