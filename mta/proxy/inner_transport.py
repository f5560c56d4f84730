"""What an inner protocol has for a transport once the header is done with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol as Interface

from zope.interface import directlyProvides, providedBy

from mta.proxy.peer import called_address


class Strip(Interface):
    """Looks at the first octets that come, and passes on all or some."""

    @property
    def is_over(self) -> bool: ...

    def strip(self, octets: bytes) -> bytes: ...


class InnerTransport:
    """Hands on to the real transport, but for the addresses.

    What came behind the header is kept while the inner protocol does not read; where
    it began TLS meanwhile, that is the beginning of the handshake.  ``getHost`` gives
    the address that the client connected to, as far as the header told it.
    """

    transport: Any
    _inner: Any = None
    _peer: Any = None
    _strip: Strip | None = None
    _write_some: Callable[[bytes], Any] | None = None
    _held = b""
    _is_paused = False
    _is_cut = False
    _has_begun_tls = False
    _is_aside = False

    def _connect(self, inner: Any, octets: bytes, strip: Strip | None) -> None:
        """Let the inner protocol begin, with the octets that came already."""
        self._inner = inner
        self._strip = strip
        directlyProvides(self, providedBy(self.transport))
        inner.makeConnection(self)
        self._pass_on(octets)

    def _step_aside(self, inner: Any, strip: Strip | None) -> None:
        """Let the inner protocol begin on the real transport itself.

        It is the transport's protocol as soon as nothing need be stripped any more;
        a layer between costs each octet.
        """
        transport = self.transport
        self._inner = inner
        self._strip = strip
        self._is_aside = True
        peer = self._peer
        if peer is not None:
            # Without this layer, which would keep itself and the transport alive.
            transport.getPeer = lambda: peer
            transport.getHost = lambda: called_address(peer)
        if strip is None:
            transport.protocol = inner
        inner.makeConnection(transport)

    def _pass_on(self, octets: bytes) -> None:
        if octets and self._strip is not None:
            octets = self._strip.strip(octets)
            if self._strip.is_over:
                self._strip = None
                if self._is_aside and self.transport.protocol is self:
                    self.transport.protocol = self._inner
        self._held += octets
        self._pass_held()

    def _pass_held(self) -> None:
        if self._is_paused or self._is_cut or self._inner is None:
            return
        held, self._held = self._held, b""
        if self._strip is None:
            # Nothing is left to do here for what comes from now on.
            self.__dict__["dataReceived"] = self._inner.dataReceived
        if held:
            reader = self.transport.protocol if self._has_begun_tls else self._inner
            reader.dataReceived(held)

    # Called by the inner protocol.

    def getPeer(self) -> Any:
        """Return the client's address."""
        peer = self._peer
        return self.transport.getPeer() if peer is None else peer

    def getHost(self) -> Any:
        """Return the address that the client connected to."""
        peer = self._peer
        return self.transport.getHost() if peer is None else called_address(peer)

    def write(self, data: bytes) -> None:
        """Send octets."""
        self.transport.write(data)

    def writeSequence(self, data: Any) -> None:
        """Send several pieces."""
        self.transport.writeSequence(data)

    def writeSomeData(self, data: bytes) -> Any:
        """Send what can be sent at once; return how much that was.

        Nothing is where a layer between, such as TLS, must see it first.
        """
        write = self._write_some
        return 0 if write is None else write(data)

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._is_paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again, beginning with what was kept."""
        self._is_paused = False
        self._pass_held()
        if not self._is_paused:
            self.transport.resumeProducing()

    def loseConnection(self, *arguments: Any) -> None:
        """Close the connection when everything is sent."""
        self._is_cut = True
        self.transport.loseConnection(*arguments)

    def abortConnection(self) -> None:
        """Close the connection at once."""
        self._is_cut = True
        self.transport.abortConnection()

    def startTLS(self, *arguments: Any) -> None:
        """Begin TLS under the inner protocol."""
        self._write_some = None
        self.transport.startTLS(*arguments)
        self._has_begun_tls = True

    def __getattr__(self, name: str) -> Any:
        if name == "transport":
            raise AttributeError(name)
        return getattr(self.transport, name)
