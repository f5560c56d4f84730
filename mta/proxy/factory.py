"""PROXY under any server: header first, and then the server's own protocol."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory

from mta.proxy.header import HEADER_LIMIT
from mta.proxy.protocol import ProxyProtocol
from mta.proxy.result import ProxyResult


class Tally(Protocol):
    """Counts connections by address."""

    def enter(self, ip_address: str) -> None:
        """Count a connection that has begun."""

    def leave(self, ip_address: str) -> None:
        """Count a connection that has ended."""

    def of(self, ip_address: str) -> int:
        """Return how many connections there are from one address."""


class Room(Protocol):
    """Counts connections whose client is not known yet."""

    def enter(self) -> bool:
        """Count a connection; return whether there is room for it."""

    def leave(self) -> None:
        """Count one less: another counts it from now on, or it has ended."""


class ProxyFactory(Factory):
    """Reads a header where one is due, and then lets another factory serve.

    The coroutine ``requires`` is asked with the transport of each connection whether
    its peer must send a header; it may wait, and where it fails the connection is
    closed.  Where ``knows`` has the answer for an IP address already, it is not asked
    in most cases.  The whole header must come within ``timeout`` seconds and have no more
    than ``limit`` octets.  Where it does not, the inner protocol is made all the same,
    with the peer's own address, if ``serves_failures``; else the connection is closed.
    Either way the protocol finds a ``ProxyResult`` at ``transport.getPeer().proxy``.

    ``report`` is told of every result that has a reason, ``failed`` of an exception
    of ``requires``: what it returns is sent before the connection is closed.  A peer
    that has more than ``maximum`` connections by ``tally`` gets ``refusal`` and no
    service; where there is no ``room`` anybody gets ``crowded``.
    """

    noisy = False
    protocol = ProxyProtocol

    def __init__(
        self,
        wrapped: IProtocolFactory,
        *,
        requires: Callable[[Any], Coroutine[Any, Any, bool]],
        knows: Callable[[str], bool | None] = lambda ip_address: None,
        clock: Any,
        timeout: float = 3,
        limit: int = HEADER_LIMIT,
        serves_failures: bool = False,
        report: Callable[[ProxyResult], None] = lambda result: None,
        failed: Callable[[BaseException], bytes] = lambda error: b"",
        tally: Tally | None = None,
        maximum: int = 0,
        refusal: bytes = b"",
        room: Room | None = None,
        crowded: bytes = b"",
    ) -> None:
        self.wrapped = wrapped
        self.requires = requires
        self.knows = knows
        self.clock = clock
        self.timeout = timeout
        self.limit = limit
        self.serves_failures = serves_failures
        self.report = report
        self.failed = failed
        self.tally = tally
        self.maximum = maximum
        self.refusal = refusal
        self.room = room
        self.crowded = crowded
        self.waiting: set[ProxyProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> ProxyProtocol:
        """Return what reads the header of a connection."""
        protocol: ProxyProtocol = self.protocol()
        protocol.factory = protocol.server = self
        return protocol

    def doStart(self) -> None:
        """A port that uses this factory was opened."""
        self.wrapped.doStart()
        super().doStart()  # type: ignore[no-untyped-call]

    def doStop(self) -> None:
        """A port that used this factory was closed."""
        self.wrapped.doStop()
        super().doStop()  # type: ignore[no-untyped-call]

    def abort_waiting(self) -> None:
        """Cut every connection that no inner protocol serves yet."""
        for protocol in tuple(self.waiting):
            protocol.abortConnection()
