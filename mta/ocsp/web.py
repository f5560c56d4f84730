"""OCSP over HTTP (RFC 6960, appendix A; RFC 5019, section 5)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from mta.ocsp.request import REQUEST_LIMIT
from mta.ocsp.responder import Answer, Responder

CONNECTIONS_LIMIT = 500
IDLE_LIMIT = 15
LIFE_LIMIT = 60
_METHODS = (b"GET", b"HEAD", b"POST")
_DER_SEQUENCE = b"\x30"
_PATH_LIMIT = 8
_TOO_LARGE = (
    b"HTTP/1.1 413 Request Entity Too Large\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class OCSPExchange(http.Request):
    """One HTTP request, and the response to the OCSP request in it."""

    _size = 0

    def gotLength(self, length: int | None) -> None:
        """Refuse what is too large before it comes."""
        if length is not None and length > REQUEST_LIMIT:
            self._refuse_size()
            length = 0
        super().gotLength(length)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; refuse what grows too large."""
        self._size += len(data)
        if self._size > REQUEST_LIMIT:
            self._refuse_size()
        else:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def _refuse_size(self) -> None:
        if isinstance(self.channel, OCSPChannel):
            self.channel.refuse(_TOO_LARGE)

    def process(self) -> None:
        """Answer, now that all of the request is there."""
        try:
            octets = self._request()
        except ValueError:
            self._end(400, b"An OCSP request is wanted.\n", b"text/plain")
            return
        if octets is None:
            self._field(b"Allow", b", ".join(_METHODS))
            self._end(405, b"", b"text/plain")
            return
        factory: OCSPFactory = self.channel.factory
        answer = factory.responder.answer(octets)
        self._allow_keeping(answer, factory.now())
        self._end(200, answer.octets, b"application/ocsp-response")

    def _request(self) -> bytes | None:
        """Return the OCSP request; None for another method; raise ValueError."""
        if self.method == b"POST":
            assert self.content is not None
            octets: bytes = self.content.read()
            return octets
        if self.method not in _METHODS:
            return None
        path = self.uri.partition(b"?")[0]
        if path.startswith(b"http://"):
            # As a client writes it to a proxy.
            path = path.split(b"/", 3)[3] if path.count(b"/") > 2 else b""
        text = unquote_to_bytes(path.removeprefix(b"/"))
        for _ in range(_PATH_LIMIT):
            # Clients leave out what fills up base64's last four digits.
            filled = text + b"=" * (-len(text) % 4)
            with suppress(ValueError):
                octets = base64.b64decode(filled, validate=True)
                if octets[:1] == _DER_SEQUENCE:
                    return octets
            # The certificates' URL may have a path of its own.
            text = text.partition(b"/")[2]
        raise ValueError("nothing is asked")

    def _allow_keeping(self, answer: Answer, now: float) -> None:
        """Say how long caches may keep an answer (RFC 5019, section 6.2)."""
        if not answer.next_update:
            self._field(b"Cache-Control", b"no-store")
            return
        left = max(0, int(answer.next_update - now))
        self._field(
            b"Cache-Control",
            b"max-age=%d, public, no-transform, must-revalidate" % left,
        )
        self._field(b"Last-Modified", _date(answer.this_update))
        self._field(b"Expires", _date(answer.next_update))
        digest = hashlib.sha256(answer.octets).hexdigest()
        self._field(b"ETag", b'"%s"' % digest.encode("ascii"))

    def _field(self, name: bytes, value: bytes) -> None:
        self.responseHeaders.setRawHeaders(name, [value])

    def _end(self, code: int, body: bytes, media_type: bytes) -> None:
        self.setResponseCode(code)
        self._field(b"Content-Type", media_type)
        self._field(b"Content-Length", b"%d" % len(body))
        if self.method != b"HEAD":
            self.write(body)  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]


class OCSPChannel(http.HTTPChannel):
    """One client; nobody stays for long."""

    requestFactory = OCSPExchange
    transport: Any = None
    _end_of_life: Any = None
    _is_refused = False

    def connectionMade(self) -> None:
        """Begin, and limit how long the connection lasts."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._end_of_life = self.callLater(  # type: ignore[no-untyped-call]
            LIFE_LIMIT, self._close
        )

    def _close(self) -> None:
        self._end_of_life = None
        if self.transport is not None:
            self.transport.abortConnection()

    def refuse(self, octets: bytes) -> None:
        """Write an answer, read no more, and close."""
        self._is_refused = True
        if self.transport is not None:
            self.transport.write(octets)
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take what comes, unless the client was refused."""
        if not self._is_refused:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Make room for another client."""
        if self._end_of_life is not None:
            self._end_of_life.cancel()
            self._end_of_life = None
        self.factory.connections -= 1
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class OCSPFactory(http.HTTPFactory):
    """Serves a responder over HTTP."""

    connections = 0

    def __init__(
        self, responder: Responder, *, reactor: IReactorTime, now: Callable[[], float]
    ) -> None:
        super().__init__(timeout=IDLE_LIMIT, reactor=reactor)
        self.responder = responder
        self.now = now

    def buildProtocol(self, addr: Any) -> Any:
        """Take a client, unless there are too many."""
        if self.connections >= CONNECTIONS_LIMIT:
            return None
        self.connections += 1
        return super().buildProtocol(addr)

    def _take(self) -> Any:
        return OCSPChannel()  # type: ignore[no-untyped-call]

    protocol = _take

    def log(self, request: Any) -> None:
        """Log no requests: their number is the clients' choice."""


def _date(moment: float) -> bytes:
    return formatdate(moment, usegmt=True).encode("ascii")
