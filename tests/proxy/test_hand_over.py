"""Tests of connections that the PROXY layer leaves to the inner protocol alone."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mta.proxy.result import SPOOFED
from tests.proxy.connecting import Tally
from tests.proxy.headers import BINARY, LINE
from tests.proxy.talking import TalkingServer
from tests.proxy.test_sockets import V1, Caller


async def never(_transport: Any) -> bool:
    """Say that no header is due."""
    return False


async def never_later(_transport: Any) -> bool:
    """Say so after a while."""
    await deferLater(reactor, 0.05, lambda: None)  # type: ignore[arg-type]
    return False


class HandOverTests(TestCase):
    """A server on a loopback port, and how its protocol is connected."""

    timeout = 60

    def serve(self, *arguments: Any, **options: Any) -> TalkingServer:
        """Start a server, which is stopped after the test."""
        server = TalkingServer(*arguments, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    async def call(self, server: TalkingServer) -> Caller:
        """Connect."""
        caller = await deferToThread(Caller, server.port)
        self.addCleanup(caller.close)
        return caller

    async def line(self, caller: Caller, octets: bytes = b"") -> bytes:
        """Send octets and return the next line."""

        def exchange() -> bytes:
            if octets:
                caller.send(octets)
            return caller.line()

        return await deferToThread(exchange)

    def is_alone(self, server: TalkingServer) -> bool:
        """Return whether nothing stands between the protocol and the socket."""
        (talker,) = server.talkers.talkers
        transport = talker.transport
        return isinstance(transport, tcp.Connection) and transport.protocol is talker

    async def test_behind_a_header(self) -> None:
        """Where nothing came with the header, the layer is gone behind it."""
        for header in (LINE, BINARY):
            server = self.serve()
            caller = await self.call(server)

            greeting = await self.line(caller, header)

            self.assertIn(b"192.0.2.7 4660 proxied", greeting)
            self.assertTrue(self.is_alone(server))
            self.assertEqual(await self.line(caller, b"x\n"), b"x\n")
            self.assertEqual(await self.line(caller, b"PEER\n"), b"192.0.2.7 4660\n")
            caller.close()
            while server.talkers.talkers:
                await deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]

    async def test_glued(self) -> None:
        """What came with the header is passed on; then the layer must stay."""
        server = self.serve()
        caller = await self.call(server)

        self.assertEqual(await self.line(caller, LINE + b"one\n"), V1)
        self.assertEqual(await self.line(caller, b"two\n"), b"one\n")
        self.assertEqual(await self.line(caller), b"two\n")

    async def test_plain_clients(self) -> None:
        """The first octets of others are looked at, and then no more."""
        for requires in (never, never_later):
            server = self.serve(requires=requires)
            caller = await self.call(server)
            self.assertTrue((await self.line(caller)).endswith(b" none\n"))

            self.assertEqual(await self.line(caller, b"one\n"), b"one\n")

            self.assertTrue(self.is_alone(server))
            self.assertEqual(await self.line(caller, LINE), LINE.strip() + b"\n")
            self.assertEqual(server.reasons, [])

    async def test_spoof(self) -> None:
        """A header from them is still seen, in pieces as well."""
        server = self.serve(requires=never)
        caller = await self.call(server)
        await self.line(caller)

        caller.send(LINE[:3])
        await deferLater(reactor, 0.05, lambda: None)  # type: ignore[arg-type]
        line = await self.line(caller, LINE[3:])

        self.assertEqual(line, LINE.strip() + b"\n")
        self.assertEqual(server.reasons, [SPOOFED])
        self.assertTrue(self.is_alone(server))

    async def test_plain_tls(self) -> None:
        """TLS at once, before the first octets were looked at; and later."""
        for requires in (never, never_later):
            for layers in ("own", "proxy"):
                server = self.serve(layers, requires=requires)
                caller = await self.call(server)
                if layers == "proxy":
                    await self.line(caller)
                    await self.line(caller, b"STARTTLS\n")
                await deferToThread(caller.begin_tls)
                if layers == "own":
                    self.assertTrue((await self.line(caller)).endswith(b" none\n"))

                self.assertEqual(await self.line(caller, b"one\n"), b"one\n")
                self.assertEqual(await self.line(caller, b"two\n"), b"two\n")

    async def test_late_header(self) -> None:
        """After a failure the late header is thrown away, and only that."""
        server = self.serve(timeout=0.1)
        caller = await self.call(server)
        self.assertIn(b"timeout", await self.line(caller))

        caller.send(LINE[:5])
        await deferLater(reactor, 0.05, lambda: None)  # type: ignore[arg-type]
        self.assertEqual(await self.line(caller, LINE[5:] + b"one\n"), b"one\n")
        self.assertEqual(await self.line(caller, b"two\n"), b"two\n")

    async def test_counted(self) -> None:
        """A connection that is counted is counted until it ends."""
        tally = Tally()
        server = self.serve(tally=tally, maximum=5)
        caller = await self.call(server)
        await self.line(caller, LINE)
        self.assertEqual(tally, {"127.0.0.1": 1})

        caller.close()

        while tally["127.0.0.1"]:
            await deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]
