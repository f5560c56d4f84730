"""Tests of the queue as the rest of the program sees it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mta.errors import SpoolError
from mta.message import PARKED, Bytes
from mta.spool.listing import QueueEntry
from tests.spool.queueing import NOW, StoreTestCase, new_message, octets_for


class AddTests(StoreTestCase):
    """Messages that come into the queue."""

    def test_there(self) -> None:
        """What was added is there for the next process, whole."""
        store = self.store(stops=False)
        message = self.add(store)
        self.wait(store.stop())

        found = self.wait(self.store().claim(message.message_id))

        self.assertEqual(found.body, Bytes(b"Hello\r\n"))
        self.assertEqual(found.header.content, b"Subject: test\r\n")
        self.assertEqual(found.sender.text, "ann@example.com")
        self.assertEqual(
            [r.address.text for r in found.recipients], ["bob@example.org", "c@x.test"]
        )

    def test_claimed(self) -> None:
        """A message that this process adds is its own, and due for nobody else."""
        store, other = self.store(), self.store()
        message = self.add(store)

        self.assertIsNone(self.wait(other.claim(message.message_id)))
        self.assertEqual(self.ids(other, force=True), [])

    def test_for_others(self) -> None:
        """Without a claim whoever comes has it, at its time."""
        store, other = self.store(), self.store()
        message = new_message(store.next_id())
        self.wait(store.add(message, claimed=False, next_try=NOW + 10))

        self.assertEqual(self.ids(other), [])
        self.now += 10
        self.assertEqual(self.ids(other), [message.message_id])

    def test_queue_only(self) -> None:
        """A message for queue runs alone is not claimed, and its time never comes."""
        store = self.store()
        message = self.add(store, queue_only=True)
        (entry,) = self.wait(store.entries())

        self.assertEqual((entry.next_try, entry.claimed), (PARKED, False))
        self.now += 10**9
        self.assertEqual(self.ids(store), [])
        self.assertEqual(self.ids(store, force=True), [message.message_id])

    def test_large(self) -> None:
        """A large body is in a file; the file goes when the message goes."""
        store = self.store()
        octets = octets_for("a", 200_000)
        message = self.add(store, self.large_body(store, octets))
        self.wait(store.release([message.message_id]))

        found = self.wait(store.claim(message.message_id))

        self.assertEqual(b"".join(found.body.chunks()), octets)
        self.assertEqual(len(self.body_files()), 1)
        self.wait(store.remove(message.message_id))
        self.wait(store.stop())
        self.assertEqual(self.body_files(), [])

    def test_together(self) -> None:
        """Messages that come while one is committed share the next commit."""
        store = self.store()
        commits = _Commits(self.directory)
        before = commits.count()
        messages = [new_message(store.next_id()) for _ in range(200)]

        self.turns.results([store.add(message) for message in messages])

        self.assertLess(commits.count() - before, 20)
        self.assertEqual(self.wait(store.counts()).messages, 200)

    def test_id_twice(self) -> None:
        """An id that is there already is an error, which harms no other message."""
        store = self.store()
        one = self.add(store)
        fresh = new_message(store.next_id())
        works = [store.add(new_message(one.message_id)), store.add(fresh)]

        self.assertRaises(SpoolError, self.turns.results, works)

        entries = self.wait(store.entries())
        self.assertEqual(
            {entry.message_id for entry in entries}, {one.message_id, fresh.message_id}
        )


class _Commits:
    """Counts the transactions that were written to a spool."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "queue.db-wal")

    def count(self) -> int:
        """Return how many frames of the log end a transaction."""
        with open(self._path, "rb") as file:
            octets = file.read()
        page = int.from_bytes(octets[8:12], "big")
        salts = octets[16:24]
        return sum(
            octets[start + 4 : start + 8] != b"\0\0\0\0"
            for start in range(32, len(octets), page + 24)
            if octets[start + 8 : start + 16] == salts
        )


class ClaimTests(StoreTestCase):
    """One message, one process."""

    def test_once(self) -> None:
        """A message is claimed once, be it by one store or by two."""
        store, other = self.store(), self.store()
        message = self.add(store)
        self.wait(store.release([message.message_id]))

        found = self.turns.results(
            [store.claim(message.message_id), store.claim(message.message_id)]
        )
        self.assertEqual([m is None for m in found].count(True), 1)
        self.assertIsNone(self.wait(other.claim(message.message_id)))

    def test_gone(self) -> None:
        """A message that is gone cannot be claimed."""
        store = self.store()
        message = self.add(store)
        self.wait(store.remove(message.message_id))

        self.assertIsNone(self.wait(store.claim(message.message_id)))
        self.assertEqual(self.wait(store.entries()), [])

    def test_due(self) -> None:
        """Every due message goes to one of those who ask."""
        store, other = self.store(), self.store()
        added = {self.add(store).message_id for _ in range(20)}
        self.wait(store.release(added))

        first, second = self.ids(store, limit=12), self.ids(other)

        self.assertEqual((len(first), len(second)), (12, 8))
        self.assertEqual({*first, *second}, added)

    def test_offered(self) -> None:
        """What was found due can be claimed by name, once."""
        store = self.store()
        message = self.add(store)
        self.wait(store.release([message.message_id]))
        self.assertEqual(self.ids(store), [message.message_id])

        self.assertIsNotNone(self.wait(store.claim(message.message_id)))
        self.assertIsNone(self.wait(store.claim(message.message_id)))

    def test_given_back(self) -> None:
        """A store that stops gives back what it had claimed or found."""
        store, other = self.store(stops=False), self.store()
        taken, found = self.add(store), self.add(store)
        self.wait(store.release([taken.message_id, found.message_id]))
        self.assertEqual(len(self.ids(store)), 2)
        self.wait(store.claim(taken.message_id))

        self.wait(store.stop())

        self.assertEqual(len(self.ids(other)), 2)

    def test_remove_unclaimed(self) -> None:
        """Nobody removes what another works on."""
        store, other = self.store(), self.store()
        message = self.add(store)

        self.assertRaises(SpoolError, self.wait, other.remove(message.message_id))
        self.assertEqual(self.wait(store.counts()).messages, 1)


class SaveTests(StoreTestCase):
    """What deliveries leave behind."""

    def test_saved(self) -> None:
        """Recipients that are done stay so; the message waits for its time."""
        store, other = self.store(), self.store()
        message = self.add(store)
        message.recipients[0].done = True

        self.wait(store.save(message, next_try=NOW + 60))

        self.assertEqual(self.ids(other), [])
        self.now += 60
        self.assertEqual(self.ids(other), [message.message_id])
        found = self.wait(other.claim(message.message_id))
        self.assertEqual([r.done for r in found.recipients], [True, False])
        (entry,) = self.wait(store.entries())
        self.assertEqual(entry.tries, 1)

    def test_journal(self) -> None:
        """What is done is safe before the attempt ends, and the claim stays."""
        store, other = self.store(stops=False), self.store()
        message = self.add(store)
        message.recipients[1].done = True

        self.wait(store.journal(message))

        (entry,) = self.wait(other.entries())
        self.assertEqual([done for _, done in entry.recipients], [False, True])
        self.assertIsNone(self.wait(other.claim(message.message_id)))
        self.wait(store.stop())

    def test_kept(self) -> None:
        """A message can be saved and kept, without counting an attempt."""
        store = self.store()
        message = self.add(store)

        self.wait(store.save(message, next_try=None, release=False, tried=False))

        (entry,) = self.wait(store.entries())
        self.assertEqual((entry.tries, entry.claimed), (0, True))
        self.wait(store.remove(message.message_id))

    def test_frozen(self) -> None:
        """A frozen message is due for nobody who does not ask for frozen ones."""
        store = self.store()
        message = self.add(store)
        message.frozen = True
        self.wait(store.save(message, next_try=None))

        self.assertEqual(self.ids(store, force=True), [])
        self.assertEqual(self.ids(store, frozen=True), [message.message_id])
        self.assertTrue(self.wait(store.claim(message.message_id)).frozen)

    def test_earliest(self) -> None:
        """The time of the next attempt at any message is known."""
        store = self.store()
        self.assertIsNone(self.wait(store.earliest_try()))
        for delay in (50, 20, 70):
            self.wait(store.save(self.add(store), next_try=NOW + delay))
        self.assertEqual(self.wait(store.earliest_try()), NOW + 20)

    def test_match(self) -> None:
        """Messages can be chosen by what a listing shows of them."""
        store = self.store()
        self.wait(store.release([self.add(store).message_id for _ in range(3)]))
        wanted = self.add(store)
        wanted.recipients[0].done = True
        self.wait(store.save(wanted, next_try=None))

        def is_begun(entry: QueueEntry) -> bool:
            return any(done for _, done in entry.recipients)

        self.assertEqual(self.ids(store, match=is_begun), [wanted.message_id])


class TroubleTests(StoreTestCase):
    """Disks that are full and rows that are broken."""

    def test_full(self) -> None:
        """Without space nothing is accepted and nothing lost; with space it goes on."""
        store = self.store()
        kept = self.add(store)
        with _file_size_limit(os.path.getsize(self.path("queue.db-wal")) + 4096):
            message = new_message(store.next_id(), Bytes(b"x" * 60_000))
            self.assertRaises(SpoolError, self.wait, store.add(message))
            entries = self.wait(store.entries())
            self.assertEqual([e.message_id for e in entries], [kept.message_id])

        self.wait(store.add(message))

        self.assertEqual(self.wait(store.counts()).messages, 2)
        rows = sqlite3.connect(self.path("queue.db")).execute("PRAGMA integrity_check")
        self.assertEqual(rows.fetchone(), ("ok",))

    def test_full_for_body(self) -> None:
        """A large body that cannot be written is an error, and leaves no file."""
        store = self.store()
        with _file_size_limit(100_000):
            writer = store.new_body()
            for _ in range(10):
                writer.write(b"x" * 40_000)
            self.assertRaises(SpoolError, self.wait, writer.finish())
            writer.abandon()
            self.wait(store.stop())

        self.assertEqual(self.body_files(), [])

    def path(self, name: str) -> str:
        """Return where a file of the spool is."""
        return os.path.join(self.directory, name)

    def test_broken(self) -> None:
        """A broken row is set aside, a person told; the rest goes on."""
        store = self.store()
        broken, sound = self.add(store), self.add(store)
        self.wait(store.release([broken.message_id, sound.message_id]))
        connection = sqlite3.connect(self.path("queue.db"), isolation_level=None)
        connection.execute(
            "UPDATE message SET record = x'00' WHERE id = ?", (broken.message_id,)
        )
        connection.close()

        self.assertIsNone(self.wait(store.claim(broken.message_id)))

        self.assertIsNotNone(self.wait(store.claim(sound.message_id)))
        self.assertEqual(self.wait(store.counts()).broken, 1)
        ((text, message_id),) = self.logs.panic_lines
        self.assertIn("message set aside", text)
        self.assertEqual(message_id, broken.message_id)

    def test_body_gone(self) -> None:
        """So is a message whose file is gone."""
        store = self.store()
        message = self.add(store, self.large_body(store, b"x" * 100_000))
        self.wait(store.release([message.message_id]))
        os.unlink(os.path.join(self.path("bodies"), self.body_files()[0]))

        self.assertIsNone(self.wait(store.claim(message.message_id)))

        self.assertEqual(self.wait(store.counts()).broken, 1)

    def test_no_folder(self) -> None:
        """A spool that cannot be made is an error that says so."""
        with open(self.directory, "w"):
            pass
        self.assertRaises(SpoolError, self.store, stops=False)

    def test_stopped(self) -> None:
        """Nothing is accepted when the spool is closed."""
        store = self.store()
        self.wait(store.stop())
        message = new_message(store.next_id())
        self.assertRaises(SpoolError, self.wait, store.add(message))


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
