"""How octets go out to a client, and when nothing more is read from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from zope.interface import implementer


@implementer(IPushProducer)
class Wire(Protocol):
    """The transport's side of a protocol.

    While nothing waits to be sent, octets go straight to the socket: Twisted would
    first have the system tell it when the socket can be written to, and send in the
    next turn.  Once some had to wait, all go through Twisted's buffer, and reading
    stops while that is full.
    """

    transport: Any
    _write_some: Callable[[bytes], Any]
    _is_direct = False
    _has_producer = False
    _is_choked = False
    _is_backlogged = False

    def attach(self) -> None:
        """Look at the transport: the connection has been made."""
        transport = self.transport
        # A layer between hands on what it does not know itself, past itself.
        self._is_direct = hasattr(type(transport), "writeSomeData")
        if isinstance(transport, tcp.Connection):
            self._write_some = transport.socket.send
        elif self._is_direct:
            self._write_some = transport.writeSomeData

    def send(self, octets: bytes) -> None:
        """Send octets, or keep them until they can be sent."""
        if self._is_direct:
            try:
                sent = self._write_some(octets)
            except OSError:
                # The transport will find out what it is.
                sent = 0
            if sent.__class__ is int:
                if sent == len(octets):
                    return
                octets = octets[sent:]
            self._is_direct = False
            self.watch_buffer()
        self.transport.write(octets)

    def watch_buffer(self) -> None:
        """Be told when the transport's buffer is full."""
        if not self._has_producer:
            self._has_producer = True
            self.transport.registerProducer(self, True)

    def ignore_buffer(self) -> None:
        """Be told no more."""
        if self._has_producer:
            self._has_producer = False
            self.transport.unregisterProducer()

    def hang_up(self, later: Callable[..., object]) -> None:
        """Close the connection once everything is sent; ``later`` is callLater."""
        self.ignore_buffer()
        transport = self.transport
        if not self._is_direct or not isinstance(transport, tcp.Connection):
            transport.loseConnection()
            return
        transport.disconnecting = True
        transport.stopReading()  # type: ignore[no-untyped-call]
        later(0, transport.connectionLost, connectionDone)

    def pauseProducing(self) -> None:
        """Stop reading: the client does not take what it was sent."""
        self._is_choked = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        self._is_choked = False
        if not self._is_backlogged:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone: there is nothing to stop."""
