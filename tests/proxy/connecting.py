"""A server behind a ProxyFactory, in memory, and the protocol that it serves."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mta.proxy.factory import ProxyFactory
from mta.proxy.protocol import ProxyProtocol
from mta.proxy.result import ProxyResult

PROXY, PROXY_PORT = "10.0.0.1", 50000
OURS, OUR_PORT = "10.0.0.9", 25


class Inner(Protocol):
    """Greets, and notes what happens."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Failure | None = None
        self.peer: Any = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.peer = self.transport.getPeer()
        self.transport.write(b"hello\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.ended = reason


class Pausing(Inner):
    """Does not read at first."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()  # type: ignore[union-attr]
        super().connectionMade()


class SocketTransport(StringTransport):
    """Like a TCP transport, so far as it is used here."""

    is_aborted = False
    room: int | None = None

    def __init__(self, peer: str = PROXY) -> None:
        super().__init__(
            IPv4Address("TCP", OURS, OUR_PORT), IPv4Address("TCP", peer, PROXY_PORT)
        )

    def writeSomeData(self, data: bytes) -> int:
        data = data[: self.room]
        self.write(data)
        return len(data)

    def abortConnection(self) -> None:
        self.is_aborted = True
        super().abortConnection()


class Server:
    """A ProxyFactory, its clock, and what it reported."""

    def __init__(
        self,
        requires: Callable[[Any], Coroutine[Any, Any, bool]] | None = None,
        inner: type[Inner] = Inner,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.reports: list[ProxyResult] = []
        self.served: list[Inner] = []
        self.asked: list[Any] = []

        def build(_address: object) -> Inner:
            self.served.append(inner())
            return self.served[-1]

        async def always(transport: Any) -> bool:
            self.asked.append(transport.getPeer().host)
            return True

        wrapped = Factory()
        wrapped.buildProtocol = build  # type: ignore[method-assign, assignment]
        options.setdefault("serves_failures", True)
        self.factory = ProxyFactory(
            wrapped,
            requires=requires or always,
            clock=self.clock,
            report=self.reports.append,
            **options,
        )

    def connect(self, transport: StringTransport | None = None) -> Client:
        """Return a connection that was just accepted."""
        return Client(self, SocketTransport() if transport is None else transport)

    @property
    def inner(self) -> Inner:
        """The only inner protocol."""
        (inner,) = self.served
        return inner

    @property
    def reasons(self) -> list[str]:
        """What was reported."""
        return [result.reason for result in self.reports]


class Client:
    """The other end of a connection."""

    def __init__(self, server: Server, transport: StringTransport) -> None:
        self.transport: Any = transport
        self.protocol: ProxyProtocol = server.factory.buildProtocol(None)
        transport.protocol = self.protocol  # type: ignore[attr-defined]
        self.protocol.makeConnection(transport)

    def send(self, octets: bytes) -> None:
        """Send octets."""
        self.protocol.dataReceived(octets)

    def hang_up(self) -> None:
        """Close the connection; a transport does not know its ends any more then."""
        self.transport.getPeer = self.transport.getHost = None
        self.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def is_closed(self) -> bool:
        """True where the server closed the connection."""
        return bool(self.transport.disconnecting or self.transport.is_aborted)


def answer_later() -> tuple[Deferred[bool], Callable[[Any], Coroutine[Any, Any, bool]]]:
    """Return what decides, and what answers when it has."""
    decision: Deferred[bool] = Deferred()

    async def requires(_transport: Any) -> bool:
        return await decision

    return decision, requires


class Tally(dict[str, int]):
    """Counts connections by address."""

    def enter(self, ip_address: str) -> None:
        self[ip_address] = self.of(ip_address) + 1

    def leave(self, ip_address: str) -> None:
        self[ip_address] -= 1

    def of(self, ip_address: str) -> int:
        return self.get(ip_address, 0)
