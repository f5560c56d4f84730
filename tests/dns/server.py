"""A name server on the loopback that answers as a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

Answering = Callable[[dns.message.Message], "list[bytes]"]
SOA = ("example.", 300, "IN", "SOA", "ns.example. root.example. 1 2 3 4 60")


def response(
    query: dns.message.Message,
    *records: tuple[Any, ...],
    code: int = dns.rcode.NOERROR,
    flags: int = 0,
    authority: tuple[tuple[Any, ...], ...] = (),
) -> dns.message.Message:
    """Return an answer with records as ``dns.rrset.from_text`` takes them."""
    message = dns.message.make_response(query)
    message.set_rcode(dns.rcode.Rcode(code))
    message.flags |= flags | dns.flags.RA
    message.answer = [dns.rrset.from_text(*record) for record in records]
    message.authority = [dns.rrset.from_text(*record) for record in authority]
    return message


class NameServer(DatagramProtocol):
    """Answers by UDP and TCP on one port; ``asked`` keeps the questions.

    ``by_udp`` and ``by_tcp`` give the datagrams or messages to answer with.
    """

    def __init__(
        self,
        by_udp: Answering,
        by_tcp: Answering | None = None,
        interface: str = "127.0.0.1",
    ) -> None:
        self.by_udp = by_udp
        self.by_tcp = by_tcp or by_udp
        self.asked: list[dns.message.Message] = []
        self.ports: list[int] = []
        self.by_stream = 0
        factory = Factory.forProtocol(_Stream)
        factory.noisy = False
        factory.server = self  # type: ignore[attr-defined]
        self._interface = interface
        self._udp, self._tcp = self._listen(factory)
        self.address = (interface, self._udp.getHost().port)

    def _listen(self, factory: Factory) -> tuple[Any, Any]:
        """Return both ports, of one number: which may be taken for the other."""
        here: Any = reactor
        for _ in range(50):
            tcp = here.listenTCP(0, factory, interface=self._interface)
            try:
                return here.listenUDP(tcp.getHost().port, self, self._interface), tcp
            except CannotListenError:
                tcp.stopListening()
        raise AssertionError("no number is free for both ports")

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Twisted calls this."""
        query = dns.message.from_wire(datagram)
        self.asked.append(query)
        self.ports.append(addr[1])
        transport: Any = self.transport
        for answer in self.by_udp(query):
            transport.write(answer, addr)

    async def stop(self) -> None:
        """Close both ports."""
        await self._udp.stopListening()
        await self._tcp.stopListening()


class _Stream(Protocol):
    def dataReceived(self, data: bytes) -> None:
        server: NameServer = self.factory.server  # type: ignore[union-attr]
        server.by_stream += 1
        transport: Any = self.transport
        for answer in server.by_tcp(dns.message.from_wire(data[2:])):
            wire = len(answer).to_bytes(2, "big") + answer
            # In two pieces, as a network may cut it.
            transport.write(wire[:5])
            transport.write(wire[5:])
