"""What one ``ratelimit`` costs with 100,000 keys in the store: at most 100 microseconds.

Run with ``python -m benchmarks.ratelimit``; ends with 1 where it takes longer, or where
the thread that checks ever wrote to a file.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from mta.acl.evaluate import ACLs, run_acl
from mta.acl.registry import Phase
from mta.acl.run import ACLRun
from mta.acl.syntax import ACL, ACLLanguage
from mta.address import parse_address
from mta.connection import Connection
from mta.expand.context import Site
from mta.expand.registry import Language
from mta.hints import Hints
from mta.message import Message, Recipient
from mta.reception.transaction import Transaction
from mta.recipient import RoutedAddress
from mta.testing import MemoryLogs, result_of

LIMIT = 100e-6
KEYS = 100_000
ROUNDS = 6
CHECKS = 1000
CONDITIONS = {
    "known clients": "1000 / 1h / per_cmd / strict",
    "new clients": "1000 / 1h / per_cmd / strict / new",
    "clients at their limit": "0.5 / 1h / per_cmd / leaky",
    "a network": "1000 / 1h / per_cmd / ${mask:$sender_host_address/24}",
    "recipients": "1000 / 1h / per_addr / strict",
    "reading": "1000 / 1h / per_cmd / readonly",
}


def client(number: int) -> str:
    """Return the address of one of the clients."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def fill(path: str) -> None:
    """Remember as many keys as there are to be."""
    hints = Hints(path)
    now = time.time()
    for number in range(KEYS):
        value = [now, 1.0, 1.0, "1000", now, 0]
        hints.put("ratelimit", f"1h/per_cmd/{client(number)}", value, now + 86400)
    hints.close()


class Checking:
    """Clients whose rates are checked, one after the other."""

    def __init__(self, hints: Hints) -> None:
        self._language = ACLLanguage.load(Language.load())
        self._logs = MemoryLogs()
        self._site = Site(hints=hints, logs=self._logs)
        self._acls = ACLs({}, self._language)
        self._random = random.Random(1)

    def seconds(self, condition: str) -> float:
        """Return the CPU time of one check in this thread, the least of some rounds."""
        acl = self._language.parse_text("check", f"accept ratelimit = {condition}")
        return min(self._round(acl) for _ in range(ROUNDS)) / CHECKS

    def _round(self, acl: ACL) -> float:
        runs = [self._new_run() for _ in range(CHECKS)]
        began = time.thread_time()
        for run in runs:
            self._check(acl, run)
        return time.thread_time() - began

    def _check(self, acl: ACL, run: ACLRun) -> None:
        verdict = result_of(run_acl(acl, run))
        assert verdict.outcome.value != "error", verdict.log_message
        assert "sender_rate" in run.context.values

    def _new_run(self) -> ACLRun:
        connection = Connection(peer_address=client(self._random.randrange(KEYS)))
        transaction = Transaction(self._site, connection)
        transaction.message = Message(connection=connection)
        address = parse_address(f"user{self._random.randrange(KEYS)}@example.com")
        recipient = RoutedAddress(
            address,
            Recipient(address),
            local_part=address.local_part,
            domain=address.domain,
        )
        return ACLRun(
            Phase.RCPT,
            transaction,
            transaction.context(recipient),
            self._acls,
            self._logs,
            recipient=recipient,
        )


def writes(thread_id: int) -> int:
    """Return how often a thread wrote to a file; without that it has none to flush."""
    text = Path(f"/proc/self/task/{thread_id}/io").read_text("ascii")
    return int(text.partition("syscw: ")[2].partition("\n")[0])


def main() -> int:
    """Print the cost of each kind of check; return 1 where one costs too much."""
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hints.db")
        fill(path)
        hints = Hints(path)
        hints.start()
        checking = Checking(hints)
        before = writes(threading.get_native_id())
        costs = {name: checking.seconds(CONDITIONS[name]) for name in CONDITIONS}
        written = writes(threading.get_native_id()) - before
        hints.close()
    for name, cost in costs.items():
        code |= cost > LIMIT
        print(f"{cost * 1e6:6.1f} us  {name}: {CONDITIONS[name]}")
    print(f"{written} writes to files by the thread that checks")
    return code or int(written > 0)


if __name__ == "__main__":
    sys.exit(main())
