"""Several processes on one spool, and processes that die."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

from mta.message import Message
from mta.spool.store import MessageStore
from tests.spool.adding import size_of
from tests.spool.queueing import StoreTestCase, octets_for

ROUNDS = 4


class ProcessTestCase(StoreTestCase):
    """A test case that starts processes."""

    def start(self, task: str) -> subprocess.Popen[str]:
        """Return a process that works on the spool; it ends with the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.spool.adding", self.directory, task],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.reap, process)
        return process

    def reap(self, process: subprocess.Popen[str]) -> None:
        """See to it that nothing of a process is left."""
        if process.poll() is None:
            self.end(process)
        if process.stdout is not None:
            process.stdout.close()

    def end(self, process: subprocess.Popen[str]) -> list[str]:
        """Kill a process; return what it had still said."""
        process.kill()
        said, _ = process.communicate()
        # A line that is cut off was not yet said.
        return said[: said.rfind("\n") + 1].split()

    def content(self, message: Message) -> bytes:
        """Return the octets of a message's body."""
        return b"".join(message.body.chunks())


class KilledTests(ProcessTestCase):
    """A process that is killed while it adds messages."""

    def test_nothing_lost(self) -> None:
        """Whatever was said to be committed is there, once and whole."""
        chance = random.Random(1)
        committed: list[str] = []
        for _ in range(ROUNDS):
            process = self.start("add")
            assert process.stdout is not None
            committed.append(process.stdout.readline().strip())
            time.sleep(chance.uniform(0, 0.3))
            committed += self.end(process)

        store = self.store()

        self.assertEqual(len(set(committed)), len(committed))
        entries = {e.message_id: e for e in self.wait(store.entries())}
        self.assertLessEqual(set(committed), set(entries))
        for message_id in entries:
            self.check(store, message_id)
        self.assertEqual(self.wait(store.counts()).broken, 0)
        self.assertEqual(self.logs.panic_lines, [])

    def check(self, store: MessageStore, message_id: str) -> None:
        """Assert that a message is whole, and remove it."""
        message = self.wait(store.claim(message_id))
        expected = octets_for(message_id, size_of(message_id))
        self.assertEqual(self.content(message) == expected, True, message_id)
        self.wait(store.remove(message_id))

    def test_orphans(self) -> None:
        """Files whose messages were never committed go at the next start."""
        first = self.store()
        kept = self.add(first, self.large_body(first, b"x" * 100_000))
        process = self.start("add")
        assert process.stdout is not None
        process.stdout.readline()
        self.end(process)
        number = max(int(name) for name in os.listdir(self.path("owners")))
        for name in (f"{number}-999", "nonsense"):
            with open(os.path.join(self.path("bodies"), name), "wb") as file:
                file.write(b"orphan")

        self.store()

        self.assertNotIn(f"{number}-999", self.body_files())
        self.assertNotIn("nonsense", self.body_files())
        self.assertEqual(self.content(kept), b"x" * 100_000)

    def path(self, name: str) -> str:
        """Return where something of the spool is."""
        return os.path.join(self.directory, name)


class TakeOverTests(ProcessTestCase):
    """Claims of processes that died."""

    def test_dead(self) -> None:
        """While its process lives a claim holds; then others take the message over."""
        store = self.store()
        message = self.add(store)
        self.wait(store.release([message.message_id]))
        self.now = time.time()
        process = self.start("hold")
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline().strip(), message.message_id)
        self.assertIsNone(self.wait(store.claim(message.message_id)))
        self.assertEqual(self.ids(store, force=True), [])

        self.end(process)

        self.assertEqual(self.ids(store), [message.message_id])

    def test_dead_by_name(self) -> None:
        """The same for who asks for one message."""
        store = self.store()
        message = self.add(store)
        self.wait(store.release([message.message_id]))
        process = self.start("hold")
        assert process.stdout is not None
        process.stdout.readline()
        self.end(process)

        self.assertIsNotNone(self.wait(store.claim(message.message_id)))


class TogetherTests(ProcessTestCase):
    """Processes that work at the same time."""

    def test_each_once(self) -> None:
        """What several processes find due is done once, by one of them."""
        store = self.store()
        added = [self.add(store).message_id for _ in range(60)]
        self.wait(store.release(added))

        processes = [self.start("take") for _ in range(3)]
        taken = [
            line for process in processes for line in process.communicate()[0].split()
        ]

        self.assertEqual(sorted(taken), sorted(added))
        self.assertEqual([process.returncode for process in processes], [0, 0, 0])
        self.assertEqual(self.wait(store.entries()), [])
