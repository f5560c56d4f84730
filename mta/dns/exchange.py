"""One question to one name server, by UDP or TCP (RFC 1035, section 4.2)."""

from __future__ import annotations

from typing import Any

import dns.exception
import dns.message
from twisted.internet.defer import Deferred
from twisted.internet.protocol import (
    ClientFactory,
    DatagramProtocol,
    Protocol,
    connectionDone,
)
from twisted.python.failure import Failure

from mta.dns.associations import TLSA, with_opaque_associations

Server = tuple[str, int]


class Exchange:
    """One question to one server, and the first thing that answers it."""

    def __init__(self, query: dns.message.Message) -> None:
        self.query = query
        self._is_for_associations = query.question[0].rdtype == TLSA
        self.done: Deferred[dns.message.Message | str] = Deferred()

    async def result(self, clock: Any, limit: float) -> dns.message.Message | str:
        """Wait for the answer, or the reason why there is none."""
        timer = clock.callLater(limit, self.end, "no answer in time")
        try:
            return await self.done
        finally:
            if timer.active():
                timer.cancel()

    def end(self, result: dns.message.Message | str) -> None:
        """Give the result, if there is none yet."""
        if not self.done.called:
            self.done.callback(result)

    def take(self, octets: bytes) -> None:
        """Look at what was received; what answers another question is ignored."""
        if len(octets) < 12 or int.from_bytes(octets[:2], "big") != self.query.id:
            return
        truncated = bool(octets[2] & 0x02)
        try:
            if self._is_for_associations:
                octets = with_opaque_associations(octets)
            message = dns.message.from_wire(octets, question_only=truncated)
        except (dns.exception.DNSException, ValueError):
            return
        if self.query.is_response(message):
            self.end(message)


class DatagramExchange(Exchange, DatagramProtocol):
    """A question by UDP, on a port that is connected to the server."""

    noisy = False

    def __init__(self, query: dns.message.Message, server: Server) -> None:
        super().__init__(query)
        self._server = server

    def startProtocol(self) -> None:
        """Twisted calls this."""
        transport: Any = self.transport
        try:
            transport.connect(*self._server)
            transport.write(self.query.to_wire())
        except OSError as error:
            self.end(str(error.strerror))

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Twisted calls this."""
        self.take(datagram)

    def connectionRefused(self) -> None:
        """Twisted calls this."""
        self.end("connection refused")


class StreamExchange(Exchange, Protocol):
    """A question by TCP, where the answer is too large for UDP."""

    def __init__(self, query: dns.message.Message) -> None:
        super().__init__(query)
        self._received = b""

    def connectionMade(self) -> None:
        """Twisted calls this."""
        wire = self.query.to_wire()
        transport: Any = self.transport
        transport.write(len(wire).to_bytes(2, "big") + wire)

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this."""
        self._received += data
        while len(self._received) >= 2:
            end = 2 + int.from_bytes(self._received[:2], "big")
            if len(self._received) < end:
                return
            message, self._received = self._received[2:end], self._received[end:]
            self.take(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this."""
        self.end("the connection was closed")


class StreamFactory(ClientFactory):
    """Makes the one connection of a question by TCP."""

    noisy = False

    def __init__(self, exchange: StreamExchange) -> None:
        self._exchange = exchange

    def buildProtocol(self, addr: Any) -> StreamExchange:
        """Twisted calls this."""
        return self._exchange

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """Twisted calls this."""
        self._exchange.end("no connection by TCP")
