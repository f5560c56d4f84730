"""An SMTP server and a network in memory, driven by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.python.failure import Failure

KEYWORDS = ("PIPELINING", "SIZE 1000000", "8BITMIME", "CHUNKING", "DSN", "SMTPUTF8")


class FakeServer:
    """Answers commands by ``replies`` (verb, or the whole line, to octets).

    A reply of None closes the connection, ``SILENCE`` says nothing at all.  A list
    gives its replies one after another.  ``messages`` are the contents received.
    """

    SILENCE = b"silence"

    def __init__(
        self,
        keywords: tuple[str, ...] = KEYWORDS,
        *,
        lmtp: bool = False,
        **replies: Any,
    ) -> None:
        self.keywords = keywords
        self.lmtp = lmtp
        self.replies: dict[str, Any] = dict(replies)
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self.begin()

    def begin(self) -> None:
        """Forget the connection."""
        self._buffer = b""
        self._content: bytes | None = None
        self._chunk: tuple[int, bool] | None = None
        self._parts: list[bytes] = []
        self._accepted = 0

    def greeting(self) -> bytes | None:
        """What is said first."""
        return self._reply("GREETING", b"220 fake ESMTP\r\n")

    def feed(self, octets: bytes) -> tuple[bytes, bool]:
        """Return what is answered, and whether the connection is closed then."""
        self._buffer += octets
        out = b""
        while True:
            answer = self._one()
            if answer is None:
                return out, True
            if answer == b"":
                return out, False
            if answer != self.SILENCE:
                out += answer

    def _one(self) -> bytes | None:
        if self._chunk is not None:
            size, last = self._chunk
            if len(self._buffer) < size:
                return b""
            self._parts.append(self._buffer[:size])
            self._buffer, self._chunk = self._buffer[size:], None
            if not last:
                return self._reply("CHUNK", b"250 chunk\r\n")
            return self._end()
        if self._content is not None:
            whole = self._content + self._buffer
            end = whole.find(b"\r\n.\r\n")
            if whole.startswith(b".\r\n"):
                end = -2
            if end == -1:
                self._content, self._buffer = whole, b""
                return b""
            content = whole[: end + 2].replace(b"\r\n..", b"\r\n.")
            content = content[1:] if content.startswith(b"..") else content
            self._parts = [content]
            self._buffer, self._content = whole[end + 5 :], None
            return self._end()
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return b""
        self._buffer = rest
        return self._command(line.decode("utf-8"))

    def _command(self, line: str) -> bytes | None:
        self.commands.append(line)
        verb = line.split(maxsplit=1)[0]
        if verb in ("EHLO", "LHLO"):
            lines = ["fake", *self.keywords]
            default = b"".join(
                f"250{' ' if i == len(lines) - 1 else '-'}{text}\r\n".encode()
                for i, text in enumerate(lines)
            )
            return self._reply(verb, default)
        if verb == "BDAT":
            self._chunk = (int(line.split()[1]), line.endswith("LAST"))
            return self.SILENCE
        if verb == "DATA":
            good = b"354 go on\r\n" if self._accepted else b"503 no recipients\r\n"
            answer = self._reply("DATA", good)
            if answer is not None and answer.startswith(b"354"):
                self._content = b""
            return answer
        if verb == "QUIT":
            self._reply("QUIT", b"")
            return None
        answer = self._reply(line, None, missing=True)
        if answer is False:
            answer = self._reply(verb, b"250 ok\r\n")
        if verb == "MAIL" or verb == "RSET":
            self._accepted, self._parts = 0, []
        if verb == "RCPT" and answer and answer.startswith(b"2"):
            self._accepted += 1
        return answer

    def _end(self) -> bytes | None:
        default = b"250 OK id=1\r\n" if self._accepted else b"503 no recipients\r\n"
        answer = self._reply("END", default)
        if answer == default and self.lmtp:
            answer = default * self._accepted
        if answer is not None and b"250" in answer:
            self.messages.append(b"".join(self._parts))
        self._parts, self._accepted = [], 0
        return answer

    def _reply(self, key: str, default: Any, *, missing: bool = False) -> Any:
        if key not in self.replies:
            return False if missing else default
        value = self.replies[key]
        if isinstance(value, list):
            return value.pop(0) if value else default
        return value


class FakeTransport:
    """The client's end of a connection to a ``FakeServer``."""

    def __init__(self, network: FakeNetwork, server: FakeServer) -> None:
        self.network = network
        self.server = server
        self.protocol: Any = None
        self.to_server = b""
        self.written = b""
        self.is_open = True
        self.server_closed = False
        self.tls: Any = None

    def connect(self, protocol: Any) -> None:
        self.protocol = protocol
        self.server.connections += 1
        self.server.begin()
        protocol.makeConnection(self)
        greeting = self.server.greeting()
        if greeting is None:
            self.lose()
        elif greeting != FakeServer.SILENCE:
            self.network.say(self, greeting)

    def write(self, octets: bytes) -> None:
        assert isinstance(octets, bytes)
        if self.is_open:
            self.to_server += octets
            self.written += octets

    def pump(self) -> bool:
        if not self.to_server or not self.is_open or self.server_closed:
            return False
        octets, self.to_server = self.to_server, b""
        answer, close = self.server.feed(octets)
        if answer:
            self.network.say(self, answer)
        if close:
            self.lose()
        return True

    def lose(self, reason: Any = None) -> None:
        if self.is_open:
            self.is_open = False
            self.server.closed += 1
            self.protocol.connectionLost(Failure(reason or error.ConnectionDone()))

    def loseConnection(self) -> None:
        self.network.clock.callLater(0, self.lose)

    def abortConnection(self) -> None:
        self.network.clock.callLater(0, self.lose, error.ConnectionLost())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming

    def unregisterProducer(self) -> None:
        pass

    def startTLS(self, creator: Any) -> None:
        self.tls = creator
        self.network.start_tls(self, creator)

    def getHandle(self) -> Any:
        return self.network.tls_handle

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getHost(self) -> Any:
        return IPv4Address("TCP", "127.0.0.1", 40000)


class FakeNetwork:
    """Stands for a reactor: ``servers`` by IP address and port.

    A value may be an exception, which is how connecting fails; where there is none,
    it is refused.  With ``cut`` every
    octet of a server arrives alone.
    """

    def __init__(self, *, cut: bool = False) -> None:
        self.clock = Clock()
        self.servers: dict[tuple[str, int], Any] = {}
        self.cut = cut
        self.connections: list[FakeTransport] = []
        self.attempts: list[tuple[str, int]] = []
        self.bound_to: list[Any] = []
        self.tls_handle: Any = None
        self.on_tls: Callable[[FakeTransport, Any], None] | None = None

    def seconds(self) -> float:
        return self.clock.seconds()

    def callLater(self, delay: float, function: Any, *args: Any) -> Any:
        return self.clock.callLater(delay, function, *args)

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> None:
        self.attempts.append((host, port))
        self.bound_to.append(bindAddress)
        server = self.servers.get((host, port))
        if isinstance(server, FakeServer):
            transport = FakeTransport(self, server)
            self.connections.append(transport)
            protocol = factory.buildProtocol(None)
            self.clock.callLater(0, transport.connect, protocol)
        else:
            failure = server or error.ConnectionRefusedError()
            self.clock.callLater(
                0, factory.clientConnectionFailed, None, Failure(failure)
            )

    def say(self, transport: FakeTransport, octets: bytes) -> None:
        pieces = (
            [octets[i : i + 1] for i in range(len(octets))] if self.cut else [octets]
        )
        for piece in pieces:
            if transport.is_open:
                transport.protocol.dataReceived(piece)

    def start_tls(self, transport: FakeTransport, creator: Any) -> None:
        assert self.on_tls is not None
        self.on_tls(transport, creator)

    def pump(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(10000):
            self.clock.advance(0)
            moved = [transport.pump() for transport in list(self.connections)]
            pending = [
                c for c in self.clock.getDelayedCalls() if c.getTime() <= self.seconds()
            ]
            if not any(moved) and not pending:
                return
        raise AssertionError("the network does not come to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.pump()
        self.clock.advance(seconds)
        self.pump()
