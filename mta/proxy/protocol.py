"""One connection that may begin with a PROXY header.

To Twisted's transport this is the protocol, and to the inner protocol the transport.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any
from typing import Protocol as Interface

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.coroutines import rest_of
from mta.proxy.errors import HeaderError
from mta.proxy.header import (
    FIXED_LENGTH,
    Header,
    HeaderReader,
    version_of,
    whole_header,
)
from mta.proxy.inner_transport import InnerTransport, Strip
from mta.proxy.peer import ClientAddress
from mta.proxy.remainder import Remainder
from mta.proxy.result import SPOOFED, Endpoint, ProxyResult, ProxyStatus, plain

# Enough for nearly every header; a larger buffer takes longer to get.
FIRST_READ = 1024


class Server(Interface):
    """What a connection needs of the factory that made it."""

    wrapped: IProtocolFactory
    requires: Callable[[Any], Coroutine[Any, Any, bool]]
    knows: Callable[[str], bool | None]
    clock: Any
    timeout: float
    limit: int
    serves_failures: bool
    report: Callable[[ProxyResult], None]
    failed: Callable[[BaseException], bytes]
    tally: Any
    maximum: int
    refusal: bytes
    room: Any
    crowded: bytes
    waiting: set[Any]


class Phase(Enum):
    """How far a connection has come."""

    DECIDING = "whether a header is due is not yet known"
    READING = "the header is awaited"
    REFUSED = "the header was bad, and its time is not yet over"
    SERVED = "the inner protocol is at work, or nothing is any more"


@implementer(IHandshakeListener)
class ProxyProtocol(InnerTransport, Protocol):
    """Reads the header, then stands between transport and inner protocol.

    ``result`` is None where no header was due.
    """

    factory: Any
    server: Server
    transport: Any
    result: ProxyResult | None = None
    _phase = Phase.DECIDING
    _deciding: Deferred[Any] | None = None
    _time_limit: Any = None
    _reader: HeaderReader | None = None
    _remainder: Remainder | None = None
    _ends: tuple[Endpoint, Endpoint]
    _counted_address: str | None = None
    _is_lost = False
    _is_on_socket = False
    _must_resume = False

    # Called by the transport.

    def connectionMade(self) -> None:
        """Ask whether a header is due; read nothing meanwhile."""
        server, transport = self.server, self.transport
        if hasattr(type(transport), "writeSomeData"):
            # A layer between hands on what it does not know itself, past itself.
            self._write_some = transport.writeSomeData
            self._is_on_socket = isinstance(transport, tcp.Connection)
            if self._is_on_socket and self._serves_at_once(transport):
                return
        server.waiting.add(self)
        if server.room is not None and not server.room.enter():
            self._ends = self._find_ends()
            self._send_away("too many connections", server.crowded)
            return
        decision = server.requires(transport)
        try:
            waited = decision.send(None)
        except StopIteration as end:
            self._decided(end.value)
        except Exception:
            self._undecided(Failure())  # type: ignore[no-untyped-call]
        else:
            self._must_resume = True
            transport.pauseProducing()
            self._deciding = Deferred.fromCoroutine(rest_of(decision, waited))
            self._deciding.addCallbacks(self._decided, self._undecided)

    def dataReceived(self, data: bytes) -> None:
        """Take octets of the header, or hand on what follows it."""
        if self._phase is Phase.READING:
            self._read(data)
        elif self._phase is Phase.DECIDING:
            self._held += data
        elif self._phase is Phase.REFUSED:
            assert self._remainder is not None
            self._remainder.strip(data)
        elif self._inner is not None:
            self._pass_on(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the inner protocol, or give the header up."""
        self._is_lost = True
        self._stop_waiting()
        if self._counted_address is not None:
            self.server.tally.leave(self._counted_address)
        if self._deciding is not None:
            self._deciding.cancel()
        if self._inner is not None:
            self._inner.connectionLost(reason)
            self._inner = None
        elif self._reader is not None and self._reader.kept and self.result is None:
            # To come and go without a word is how balancers look whether we live.
            self.server.report(self._failure(ProxyStatus.INVALID, "end in the header"))
        self._phase = Phase.SERVED

    def handshakeCompleted(self) -> None:
        """Tell the inner protocol that began TLS that it is in effect."""
        if IHandshakeListener.providedBy(self._inner):
            self._inner.handshakeCompleted()

    # The header.

    def _serves_at_once(self, transport: Any) -> bool:
        """Serve a known proxy whose whole header has come with its connection.

        It goes without saying then that nothing need be awaited, counted or kept.
        """
        server = self.server
        if server.maximum > 0 or not server.knows(transport.client[0]):
            return False
        try:
            self._held = octets = transport.socket.recv(FIRST_READ)
            header = whole_header(octets, server.limit)
        except (OSError, HeaderError):
            header = None
        if header is None:
            return False
        self._held = b""
        self._ends = self._find_ends()
        self._take(header, b"")
        return True

    def _decided(self, is_due: bool) -> None:
        self._deciding = None
        if self._is_lost:
            return
        held = self._held
        self._held = b""
        # Once a connection has ended its transport does not tell them any more.
        self._ends = self._find_ends()
        if self._must_resume:
            self.transport.resumeProducing()
        if not is_due:
            self._serve(held, _SpoofWatch(self._report_spoof))
        elif self._is_admitted():
            self._await_header(held)

    def _await_header(self, held: bytes) -> None:
        self._phase = Phase.READING
        self._reader = HeaderReader(self.server.limit)
        if held:
            self._read(held)
        elif self._is_on_socket:
            # Mostly it has come with the connection.
            self.transport.doRead()
        if self._phase is not Phase.SERVED:
            server = self.server
            self._time_limit = server.clock.callLater(server.timeout, self._time_out)

    def _report_spoof(self) -> None:
        self.server.report(self._failure(ProxyStatus.NONE, SPOOFED))

    def _undecided(self, failure: Failure) -> None:
        self._deciding = None
        if not self._is_lost:
            assert failure.value is not None
            self._close(self.server.failed(failure.value))

    def _is_admitted(self) -> bool:
        """Count the connection of a proxy; send it away where there are too many."""
        server = self.server
        if server.tally is None or server.maximum <= 0:
            return True
        address = self._ends[0].ip_address
        self._counted_address = address
        server.tally.enter(address)
        if server.maximum >= server.tally.of(address):
            return True
        self._send_away("too many connections from one proxy", server.refusal)
        return False

    def _send_away(self, reason: str, last_words: bytes) -> None:
        self.server.report(self._failure(ProxyStatus.NONE, reason))
        self._close(last_words)

    def _read(self, data: bytes) -> None:
        reader = self._reader
        assert reader is not None
        try:
            header = reader.feed(data)
        except HeaderError as error:
            self._refuse(str(error), reader.kept)
            return
        if header is not None:
            self._take(header, reader.rest)

    def _take(self, header: Header, rest: bytes) -> None:
        """Serve the client that a header names."""
        version, status, source, destination, tlvs = header
        proxy, received = self._ends
        self.result = result = ProxyResult(
            status, proxy, received, version, source, destination, tlvs
        )
        self._peer = ClientAddress("TCP", *(source or proxy), result)
        self._serve(rest, None)

    def _refuse(self, reason: str, octets: bytes) -> None:
        """Give up a bad header; who sent it is answered when its time is over."""
        self.result = self._failure(ProxyStatus.INVALID, reason)
        self.server.report(self.result)
        if not self.server.serves_failures:
            self._close()
            return
        self._phase = Phase.REFUSED
        self._remainder = Remainder(only_headers=False)
        self._remainder.strip(octets)

    def _time_out(self) -> None:
        self._time_limit = None
        if self.result is None:
            assert self._reader is not None
            kept = self._reader.kept
            what = "header incomplete after" if kept else "no header in"
            reason = f"{what} {self.server.timeout:g}s"
            self.result = self._failure(ProxyStatus.TIMEOUT, reason)
            self.server.report(self.result)
            if not self.server.serves_failures:
                self._close()
                return
            self._remainder = Remainder(only_headers=not kept)
            self._remainder.strip(kept)
        self._peer = ClientAddress("TCP", *self.result.proxy, self.result)
        self._serve(b"", self._remainder)

    def _failure(self, status: ProxyStatus, reason: str) -> ProxyResult:
        return ProxyResult(status, *self._ends, reason=reason)

    def _find_ends(self) -> tuple[Endpoint, Endpoint]:
        transport = self.transport
        if self._is_on_socket and hasattr(transport, "client"):
            # The same as below, without two objects for each connection.
            return _from_socket(transport.client), _from_socket(
                transport.socket.getsockname()
            )
        return _endpoint(transport.getPeer()), _endpoint(transport.getHost())

    def _stop_waiting(self) -> None:
        server = self.server
        if server.waiting and self in server.waiting:
            server.waiting.remove(self)
            if server.room is not None:
                server.room.leave()
        if self._time_limit is not None:
            self._time_limit.cancel()
            self._time_limit = None

    def _serve(self, octets: bytes, strip: Strip | None) -> None:
        """Let the inner protocol begin."""
        self._phase = Phase.SERVED
        self._stop_waiting()
        inner = self.server.wrapped.buildProtocol(self._peer)
        if inner is None:
            self._close()
        elif octets or self._counted_address or not self._is_on_socket:
            self._connect(inner, octets, strip)
        else:
            self._step_aside(inner, strip)

    def _close(self, last_words: bytes = b"") -> None:
        self._phase = Phase.SERVED
        self._stop_waiting()
        if last_words:
            self.transport.write(last_words)
        self.transport.loseConnection()


def _from_socket(address: tuple[Any, ...]) -> Endpoint:
    return Endpoint(plain(address[0]), address[1])


def _endpoint(address: Any) -> Endpoint:
    """Return an address of Twisted; one of a local socket is empty."""
    return Endpoint(plain(getattr(address, "host", "")), getattr(address, "port", 0))


class _SpoofWatch:
    """Reports a header where none was due; it is passed on like anything else."""

    is_over = False

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report
        self._head = b""

    def strip(self, octets: bytes) -> bytes:
        """Return the octets."""
        self._head += octets[:FIXED_LENGTH]
        version = version_of(self._head)
        if version is not None:
            self.is_over = True
            if version:
                self._report()
        return octets
