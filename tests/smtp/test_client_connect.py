"""Connecting for real."""

from __future__ import annotations

import socket
from errno import ECONNREFUSED
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mta.smtp.client_connect import connect
from mta.smtp.client_failure import SessionFailure, TimeLimits, Trouble


class ConnectTests(TestCase):
    async def test_refused(self) -> None:
        """A port where nothing listens refuses, with its errno."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            with self.assertRaises(SessionFailure) as caught:
                await connect(reactor, "127.0.0.1", port, limits=TimeLimits())

        failure: Any = caught.exception
        self.assertIs(failure.trouble, Trouble.CONNECT)
        self.assertEqual(
            (failure.number, failure.text), (ECONNREFUSED, "Connection refused")
        )

    async def test_interface(self) -> None:
        """The connection comes from our address; a foreign one is a failure."""
        peers: list[Any] = []

        class Server(Protocol):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                peers.append(transport.getPeer().host)
                transport.loseConnection()

        factory = Factory.forProtocol(Server)
        factory.noisy = False
        here: Any = reactor
        port = here.listenTCP(0, factory, interface="127.0.0.1")
        number = port.getHost().port
        client = await connect(
            reactor, "127.0.0.1", number, limits=TimeLimits(), interface="127.0.0.9"
        )
        await client.closed
        with self.assertRaises(SessionFailure):
            await connect(
                reactor,
                "127.0.0.1",
                number,
                limits=TimeLimits(),
                interface="192.0.2.1",
            )
        await port.stopListening()

        self.assertEqual(peers, ["127.0.0.9"])

    async def test_cancelled(self) -> None:
        """What is cancelled before the connection is made leaves nothing open."""
        here: Any = reactor
        before = here.getWriters()
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                self.addCleanup(one.close)
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            port = full.getsockname()[1]
            result = Deferred.fromCoroutine(
                connect(reactor, "127.0.0.1", port, limits=TimeLimits())
            )
            await deferLater(here, 0)
            result.cancel()
            with self.assertRaises(CancelledError):
                await result

        self.assertEqual(here.getWriters(), before)
