"""A policy host on the loopback that says what a test wants."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mta.testing import FakeResolver

DOMAIN = "example.test"
HOST = f"mta-sts.{DOMAIN}"
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.test\nmax_age: 604800\n"

AUTHORITY = trustme.CA()


def answer(
    body: bytes = POLICY,
    status: str = "200 OK",
    *fields: str,
    kind: str = "text/plain",
) -> bytes:
    """Return a response of HTTP with a body and its length."""
    lines = [
        f"HTTP/1.1 {status}",
        *([f"Content-Type: {kind}"] if kind else []),
        *fields,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@implementer(IOpenSSLServerConnectionCreator)
class _Certificate:
    def __init__(self, issued: trustme.LeafCert) -> None:
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        issued.configure_cert(self._context)

    def serverConnectionForTLS(self, _protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


class PolicyHost(Factory[Any]):
    """Answers each request with ``said``, octets that are sent as they are.

    ``requests`` keeps what was asked, ``names`` the server names that were sent.  With ``closes`` the connection ends behind the
    answer; with ``endless`` that is said again for as long as it is read.
    """

    noisy = False

    def __init__(self, issued: trustme.LeafCert | None, said: bytes = b"") -> None:
        self.said = said or answer()
        self.endless = b""
        self.closes = False
        self.requests: list[bytes] = []
        self.names: list[bytes | None] = []
        self.connections = 0
        here: Any = reactor
        factory: Any = self
        if issued is not None:
            factory = TLSMemoryBIOFactory(_Certificate(issued), False, self)
            factory.noisy = False
        self._listening = here.listenTCP(0, factory, interface="127.0.0.1")
        self.port: int = self._listening.getHost().port
        self._open: set[_Serving] = set()

    def buildProtocol(self, addr: Any) -> Protocol:
        """Twisted calls this."""
        self.connections += 1
        return _Serving(self)

    async def stop(self) -> None:
        """Close the port and every connection."""
        stopped = self._listening.stopListening()
        if stopped is not None:
            await stopped
        for serving in list(self._open):
            serving.transport.abortConnection()  # type: ignore[union-attr]


class WebServerCase(TestCase):
    """Has an authority in a file, and the DNS that leads a name to the loopback."""

    timeout = 30
    host = HOST
    server: type[PolicyHost] = PolicyHost

    def setUp(self) -> None:
        handle, self.authority = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(os.unlink, self.authority)
        AUTHORITY.cert_pem.write_to_path(self.authority)
        self.good = AUTHORITY.issue_cert(self.host)
        self.resolver = FakeResolver({(self.host, "A"): ["127.0.0.1"]})

    def serve(self, said: bytes = b"", issued: Any = "good") -> Any:
        """Return a server that runs until the test ends; without TLS for None."""
        host = self.server(self.good if issued == "good" else issued, said)
        self.addCleanup(lambda: Deferred.fromCoroutine(host.stop()))
        return host


class _Serving(Protocol):
    def __init__(self, host: PolicyHost) -> None:
        self._host = host
        self._asked = b""

    def connectionMade(self) -> None:
        self._host._open.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._asked += data
        if self._asked.endswith(b"\r\n\r\n"):
            self._host.requests.append(self._asked)
            transport: Any = self.transport
            self._host.names.append(transport.getHandle().get_servername())
            transport.write(self._host.said)
            if self._host.endless:
                transport.registerProducer(self, False)
            elif self._host.closes:
                transport.loseConnection()

    def resumeProducing(self) -> None:
        transport: Any = self.transport
        transport.write(self._host.endless)

    def stopProducing(self) -> None:
        pass

    def connectionLost(self, reason: Any = None) -> None:
        self._host._open.discard(self)
