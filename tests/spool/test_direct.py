"""The queue of a command that takes messages in."""

from __future__ import annotations

import os

from mta.errors import SpoolError
from mta.message import PARKED
from mta.spool.desk import QueueDesk
from mta.spool.direct import DirectStore
from mta.testing import result_of
from tests.spool.queueing import NOW, StoreTestCase, new_message, octets_for

LARGE = 200_000


class DirectStoreTests(StoreTestCase):
    """Messages that are added without a reactor."""

    def direct(self) -> DirectStore:
        """Return a store; it must be closed."""
        return DirectStore(self.directory, clock=lambda: NOW)

    def test_due(self) -> None:
        """A message is due at once, and nobody's."""
        store = self.direct()
        result_of(store.add(new_message(store.next_id())))
        store.close()

        (entry,) = QueueDesk(self.directory).entries()
        self.assertEqual((NOW, False), (entry.next_try, entry.claimed))

    def test_parked(self) -> None:
        """What is to be queued only, or frozen, is not due."""
        store = self.direct()
        for facts in ({"queue_only": True}, {"frozen": True}):
            result_of(store.add(new_message(store.next_id(), **facts)))
        store.close()

        due = [entry.next_try for entry in QueueDesk(self.directory).entries()]
        self.assertEqual([PARKED, PARKED], due)

    def test_taken_by_daemon(self) -> None:
        """A daemon's store finds and claims it."""
        store = self.direct()
        message = new_message(store.next_id())
        result_of(store.add(message))
        store.close()

        daemon = self.store()
        daemon.start()
        claimed = self.turns.result(daemon.claim(message.message_id))
        assert claimed is not None
        self.assertEqual(message.message_id, claimed.message_id)

    def test_abandoned_body(self) -> None:
        """A large body that is given up leaves no file."""
        store = self.direct()
        body = store.new_body()
        body.write(octets_for("x", LARGE))
        body.abandon()
        store.close()

        self.assertEqual([], os.listdir(os.path.join(self.directory, "bodies")))

    def test_no_place(self) -> None:
        """A spool that cannot be made is one error, of the spool."""
        with open(self.directory, "w", encoding="ascii"):
            pass

        self.assertRaises(SpoolError, self.direct)

    def test_unable(self) -> None:
        """A row that cannot be written is an error: nothing was accepted."""
        store = self.direct()
        message = new_message(store.next_id())
        result_of(store.add(message))

        self.assertRaises(SpoolError, result_of, store.add(message))
        store.close()
        self.assertEqual(1, len(QueueDesk(self.directory).entries()))
