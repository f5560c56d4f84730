"""Resolvers, and name servers on the loopback that they ask."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mta.dns import Resolver
from tests.dns.server import NameServer, response

A = ("a.example.", 60, "IN", "A", "192.0.2.1", "192.0.2.2")
AAAA = ("a.example.", 30, "IN", "AAAA", "2001:db8::1")


class ResolverCase(TestCase):
    """Asks name servers that a test scripts."""

    timeout = 20

    def serve(
        self, by_udp: Any, by_tcp: Any = None, interface: str = "127.0.0.1"
    ) -> NameServer:
        """Start a name server."""
        server = NameServer(by_udp, by_tcp, interface)

        def stop() -> Any:
            return Deferred.fromCoroutine(server.stop())

        self.addCleanup(stop)
        return server

    def resolver(self, *servers: NameServer, **facts: Any) -> Resolver:
        """Return a resolver that asks these and has little time."""
        facts.setdefault("timeout", 0.2)
        facts.setdefault("attempts", 1)
        return Resolver(reactor, [server.address for server in servers], **facts)


def answering(*records: Any, **facts: Any) -> Any:
    """Return what answers every question alike."""
    return lambda query: [response(query, *records, **facts).to_wire()]
