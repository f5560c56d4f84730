"""The queue as a command sees it."""

from __future__ import annotations

import os

from mta.errors import SpoolError
from mta.spool.desk import MessageLocked, MessageMissing, QueueDesk
from mta.spool.direct import DirectStore
from mta.testing import result_of
from tests.spool.queueing import StoreTestCase, new_message, octets_for

LARGE = 200_000


class DeskCase(StoreTestCase):
    """A queue that commands fill."""

    def setUp(self) -> None:
        super().setUp()
        self.desk = QueueDesk(self.directory)

    def add(self, octets: bytes = b"Hello\r\n") -> str:
        """Queue a message as a command does; return its id."""
        self.now += 1
        store = DirectStore(self.directory, clock=lambda: self.now)
        try:
            body = store.new_body()
            body.write(octets)
            message = new_message(store.next_id(), result_of(body.finish()))
            result_of(store.add(message))
        finally:
            store.close()
        return message.message_id


class LookTests(DeskCase):
    """Looking changes nothing."""

    def test_nothing_there(self) -> None:
        """A spool that does not exist is empty, and is not made."""
        self.assertEqual([], self.desk.entries())
        self.assertEqual(0, self.desk.counts().messages)
        self.assertRaises(MessageMissing, self.desk.load, "x")
        with self.assertRaises(MessageMissing), self.desk.claimed("x"):
            self.fail("there is no such message")
        self.assertFalse(os.path.exists(self.directory))

    def test_entries(self) -> None:
        """Every message is there, with its content."""
        ids = [self.add(b"one\r\n"), self.add(octets_for("two", LARGE))]

        self.assertEqual(ids, [entry.message_id for entry in self.desk.entries()])
        self.assertEqual(2, self.desk.counts().messages)
        bodies = [b"".join(self.desk.load(one).body.chunks()) for one in ids]
        self.assertEqual([b"one\r\n", octets_for("two", LARGE)], bodies)

    def test_none_may_look(self) -> None:
        """A place that cannot be looked into is an error, not an empty queue."""
        with open(self.directory, "w", encoding="ascii"):
            pass

        self.assertRaises(SpoolError, self.desk.entries)
        self.assertRaises(SpoolError, self.desk.load, "x")


class ChangeTests(DeskCase):
    """A message that a command alone works on."""

    def test_saved(self) -> None:
        """What is saved is there; what is not saved is not."""
        message_id = self.add()

        with self.desk.claimed(message_id) as claimed:
            claimed.message.frozen = True
            claimed.save()
        with self.desk.claimed(message_id) as claimed:
            claimed.message.frozen = False

        self.assertTrue(self.desk.load(message_id).frozen)

    def test_claimed_once(self) -> None:
        """Nobody else gets it until it is given back, however the block ends."""
        message_id = self.add()
        other = QueueDesk(self.directory)

        with self.assertRaises(ValueError), self.desk.claimed(message_id):
            with self.assertRaises(MessageLocked), other.claimed(message_id):
                self.fail("it was claimed twice")
            raise ValueError

        with other.claimed(message_id) as claimed:
            self.assertEqual(message_id, claimed.message.message_id)
        self.assertEqual([], os.listdir(os.path.join(self.directory, "owners")))

    def test_dead_owner(self) -> None:
        """What a process that died had claimed is free."""
        message_id = self.add()
        child = os.fork()
        if not child:
            with QueueDesk(self.directory).claimed(message_id):
                os._exit(0)
        os.waitpid(child, 0)

        with self.desk.claimed(message_id) as claimed:
            claimed.message.frozen = True
            claimed.save()

        self.assertTrue(self.desk.load(message_id).frozen)

    def test_removed(self) -> None:
        """A removed message is gone, with the file of its body."""
        message_id = self.add(octets_for("x", LARGE))

        with self.desk.claimed(message_id) as claimed:
            claimed.remove()

        self.assertEqual([], self.desk.entries())
        self.assertEqual([], os.listdir(os.path.join(self.directory, "bodies")))
