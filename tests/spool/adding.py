"""A program that works on a spool until it is killed, and says what it has done.

``python -m tests.spool.adding DIRECTORY add`` adds messages and prints the id of each
that is committed; ``take`` claims what is due and prints it, ``hold`` takes one message
and keeps it.
"""

from __future__ import annotations

import sys
import time

from mta.message import Bytes
from mta.spool.store import MessageStore
from mta.testing import MemoryLogs
from tests.spool.queueing import new_message, octets_for
from tests.spool.turns import Turns

TOGETHER = 10
SIZES = (100, 5_000, 60_000, 150_000)


def size_of(name: str) -> int:
    """Return how long the body of a message is."""
    return SIZES[sum(name.encode()) % len(SIZES)]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def add(store: MessageStore, turns: Turns) -> None:
    """Add messages without end, several at a time."""

    async def one() -> str:
        message = new_message(store.next_id())
        octets = octets_for(message.message_id, size_of(message.message_id))
        writer = store.new_body()
        for start in range(0, len(octets), 40_000):
            writer.write(octets[start : start + 40_000])
        message.body = await writer.finish()
        await store.add(message, claimed=False)
        return message.message_id

    while True:
        for message_id in turns.results([one() for _ in range(TOGETHER)]):
            say(message_id)


def take(store: MessageStore, turns: Turns) -> None:
    """Remove whatever is due, a few messages at a time, until nothing is left."""
    while found := turns.result(store.claim_due(time.time(), 5)):
        for message_id in found:
            message = turns.result(store.claim(message_id))
            assert message is not None
            assert message.body != Bytes(b"")
            turns.result(store.remove(message_id))
            say(message_id)


def hold(store: MessageStore, turns: Turns) -> None:
    """Claim one message and keep it."""
    (message_id,) = turns.result(store.claim_due(time.time(), 1))
    turns.result(store.claim(message_id))
    say(message_id)
    time.sleep(60)


def main() -> None:
    """Do what the command line says."""
    _, directory, task = sys.argv
    turns = Turns()
    store = MessageStore(
        directory, call_in_reactor=turns, clock=time.time, logs=MemoryLogs()
    )
    store.start()
    {"add": add, "take": take, "hold": hold}[task](store, turns)
    turns.result(store.stop())


if __name__ == "__main__":
    main()
