"""A tiny server for real sockets that tells whom it takes its client for."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from mta.proxy.factory import ProxyFactory
from mta.proxy.result import ProxyResult

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("mx.example")


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """TLS as a server, with a certificate of the tests' authority."""

    def serverConnectionForTLS(self, tls_protocol: Any) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        CERTIFICATE.configure_cert(context)
        return SSL.Connection(context, None)


class Talker(LineReceiver):
    """Greets with what it knows of its client, and gives lines back."""

    factory: Talkers
    delimiter = b"\n"

    def connectionMade(self) -> None:
        self.factory.talkers.append(self)
        self.peer = self.transport.getPeer()
        if self.factory.tls_on_connect:
            self.transport.pauseProducing()
            reactor.callLater(0.05, self.begin_tls)  # type: ignore[attr-defined]
        else:
            self.greet()

    def begin_tls(self) -> None:
        self.transport.startTLS(ServerTLS())
        self.transport.resumeProducing()
        self.greet()

    def greet(self) -> None:
        proxy = getattr(self.peer, "proxy", None)
        status = f"{proxy.status.value} v{proxy.version}" if proxy else "none"
        self.sendLine(f"{self.peer.host} {self.peer.port} {status}".encode())

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.talkers.remove(self)

    def lineReceived(self, line: bytes) -> None:
        line = line.strip()
        if line == b"QUIT":
            self.transport.loseConnection()
        elif line == b"STARTTLS":
            self.sendLine(b"go ahead")
            self.transport.startTLS(ServerTLS())
        elif line == b"PEER":
            peer = self.transport.getPeer()
            self.sendLine(f"{peer.host} {peer.port}".encode())
        else:
            self.sendLine(line)


class Talkers(Factory):
    """Makes the protocols, and keeps those that are connected."""

    protocol = Talker
    noisy = False

    def __init__(self, *, tls_on_connect: bool = False) -> None:
        self.talkers: list[Any] = []
        self.tls_on_connect = tls_on_connect


class TalkingServer:
    """A ProxyFactory over the tiny server on a loopback port.

    ``layers``: ``proxy`` only, ``inside`` TLS around the header, ``outside`` TLS
    behind it by a layer of Twisted's, ``own`` TLS behind it by the protocol itself.
    """

    def __init__(
        self,
        layers: str = "proxy",
        *,
        host: str = "127.0.0.1",
        requires: Callable[[Any], Coroutine[Any, Any, bool]] | None = None,
        **options: Any,
    ) -> None:
        async def always(_transport: Any) -> bool:
            return True

        self.reports: list[ProxyResult] = []
        self.talkers = Talkers(tls_on_connect=layers == "own")
        inner: Any = self.talkers
        if layers == "outside":
            inner = TLSMemoryBIOFactory(ServerTLS(), False, inner)
        options.setdefault("serves_failures", True)
        self.factory: Any = ProxyFactory(
            inner,
            requires=requires or always,
            clock=reactor,
            report=self.reports.append,
            **options,
        )
        served = self.factory
        if layers == "inside":
            served = TLSMemoryBIOFactory(ServerTLS(), False, served)
        self.listening: IListeningPort = reactor.listenTCP(  # type: ignore[attr-defined]
            0, served, interface=host
        )
        self.port: int = self.listening.getHost().port

    @property
    def reasons(self) -> list[str]:
        """What was reported."""
        return [result.reason for result in self.reports]

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self.listening.stopListening()
        for talker in tuple(self.talkers.talkers):
            talker.transport.abortConnection()
        self.factory.abort_waiting()
        while self.talkers.talkers or self.factory.waiting:
            await deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]


def certificate_file(directory: str, name: str = "mx.example") -> str:
    """Write a certificate and its key to a file; return its path."""
    issued = CERTIFICATE
    if name != "mx.example":
        issued = AUTHORITY.issue_cert(
            name,
            common_name=name,
            not_after=datetime.datetime.now(datetime.UTC) + datetime.timedelta(1),
        )
    path = f"{directory}/{name}.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(path)
    return path
