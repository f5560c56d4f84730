"""Messages and stores for tests of the spool."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.message import Bytes, HeaderSection, IBody, Message, Recipient
from mta.spool.store import MessageStore
from mta.testing import MemoryLogs
from tests.spool.turns import Turns

NOW = 1_700_000_000.0


def new_message(message_id: str, body: IBody | None = None, **facts: Any) -> Message:
    """Return a message with two recipients."""
    return Message(
        message_id,
        Address("ann", "example.com"),
        [Recipient(Address("bob", "example.org")), Recipient(Address("c", "x.test"))],
        HeaderSection(b"Subject: test\r\n"),
        body or Bytes(b"Hello\r\n"),
        received_at=NOW,
        **facts,
    )


def octets_for(name: str, size: int) -> bytes:
    """Return octets that can be told from those of every other name."""
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


class StoreTestCase(SynchronousTestCase):
    """A test case with a spool of its own."""

    def setUp(self) -> None:
        """Have a place for the spool."""
        self.directory = os.path.abspath(self.mktemp())
        self.turns = Turns()
        self.logs = MemoryLogs()
        self.now = NOW

    def store(self, *, stops: bool = True) -> MessageStore:
        """Return a store on the spool, which ends with the test."""
        store = MessageStore(
            self.directory,
            call_in_reactor=self.turns,
            clock=lambda: self.now,
            logs=self.logs,
        )
        store.start()
        if stops:
            self.addCleanup(lambda: self.turns.result(store.stop()))
        return store

    def add(
        self, store: MessageStore, body: IBody | None = None, **facts: Any
    ) -> Message:
        """Return a message that was put into the queue."""
        message = new_message(store.next_id(), body, **facts)
        self.turns.result(store.add(message))
        return message

    def large_body(self, store: MessageStore, octets: bytes) -> IBody:
        """Return a body that a store has written to a file."""
        writer = store.new_body()
        writer.write(octets)
        body: IBody = self.turns.result(writer.finish())
        return body

    def body_files(self) -> list[str]:
        """Return the names of the files of large bodies."""
        return sorted(os.listdir(os.path.join(self.directory, "bodies")))

    def wait(self, coroutine: Any) -> Any:
        """Return what a method of a store gives."""
        return self.turns.result(coroutine)

    def ids(self, store: MessageStore, **options: Any) -> list[str]:
        """Return the messages that a store claims as due."""
        limit: int = options.pop("limit", 100)
        found: list[str] = self.wait(store.claim_due(self.now, limit, **options))
        return found
