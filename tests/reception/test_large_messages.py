"""Messages that are larger than memory should have to hold."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import tracemalloc

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mta.message import Message
from mta.spool.store import MessageStore
from mta.testing import MemoryLogs
from tests.reception.serving import Server

MEBIBYTE = 1 << 20
LINE = b"x" * 998 + b"\r\n"


class LargeMessageTests(TestCase):
    """A real spool under a client in memory."""

    timeout = 60

    def setUp(self) -> None:
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.store = MessageStore(
            directory,
            call_in_reactor=reactor.callFromThread,  # type: ignore[attr-defined]
            clock=time.time,
            logs=MemoryLogs(),
        )
        self.store.start()
        self.addCleanup(self.store.stop)
        self.server = Server(reactor=reactor, store=self.store)
        self.addCleanup(self.server.factory.close_all)

    async def test_memory(self) -> None:
        """Of 50 MB of content little is in memory at any time; all of it is kept."""
        accepted: list[Message] = []
        self.server.acceptance.accepted = accepted.append
        client = self.server.connect().hello()
        client.says(b"MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n")
        piece = LINE * (65536 // len(LINE))
        count = 49 * MEBIBYTE // len(piece)
        expected = hashlib.sha256()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)

        client.send(b"Subject: large\r\n\r\n")
        for _ in range(count):
            client.send(piece)
            expected.update(piece)
            while client.transport.producerState == "paused":
                await deferLater(reactor, 0.002)  # type: ignore[arg-type]
        client.send(b".\r\n")
        while not (reply := client.transport.take()):
            await deferLater(reactor, 0.002)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()

        self.assertEqual(b"250 OK id=", reply[:10])
        self.assertLess(peak, 6 * MEBIBYTE)
        (message,) = accepted
        found = hashlib.sha256()
        size = 0
        for chunk in message.body.chunks():
            found.update(chunk)
            size += len(chunk)
        self.assertEqual(count * len(piece), size)
        self.assertEqual(expected.digest(), found.digest())
