"""CPU that a message costs, beside Postfix and Exim in the same run.

``python -m benchmarks.throughput [--messages N] [--rounds N] [--only CELL ...]``
prints CPU milliseconds of each whole process group per message, and fails where a bound
is broken.  It runs as root, needs the peers of ``.ci/peers``, and takes minutes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.servers import KINDS, QUEUE_ONLY
from tests.interop.peers import SMTPSink, environment, program

SIZE = 10_000
SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that is measured, and what our share of the peers' CPU may be."""

    name: str
    delivers: bool
    local: bool
    reuses: bool
    bounds: dict[str, float]


CELLS = [
    Cell("accept, a connection each", False, False, False, {"postfix": 0.6, "exim": 0.35}),
    Cell("accept, reused connections", False, False, True, {"postfix": 0.6, "exim": 1.0}),
    Cell("accept and relay", True, False, False, {"postfix": 1.0, "exim": 0.15}),
    Cell("accept and deliver to Maildir", True, True, False, {"postfix": 1.0, "exim": 0.15}),
]  # fmt: skip


class Comparison:
    """All servers, up together, and the clients that load them."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._stack = ExitStack()
        self._servers: dict[tuple[str, bool], Any] = {}

    def __enter__(self) -> Comparison:
        sink = SMTPSink("-c")
        self._stack.callback(sink.stop)
        for name, kind in KINDS.items():
            for delivers in (False, True):
                extra = "" if delivers else QUEUE_ONLY[name]
                server = kind(sink.port, extra)
                self._stack.callback(server.stop)
                self._servers[name, delivers] = server
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self, cell: Cell, name: str) -> float:
        """Return the CPU milliseconds that a server uses for a message."""
        server = self._servers[name, cell.delivers]
        # What is loaded or forked for the first message is no cost of each.
        self._pass(server, cell, self._messages // 10)
        before = server.group.used()
        self._pass(server, cell, self._messages)
        time.sleep(0.5)
        used = server.group.used() - before
        return used * 1000 / self._messages

    def _pass(self, server: Any, cell: Cell, messages: int) -> None:
        """Have messages go through a server."""
        done = server.completed()
        recipient = f"user@{server.domain}" if cell.local else "user@elsewhere.test"
        self._load(server.port, recipient, messages, cell.reuses)
        if cell.delivers:
            _wait(lambda: server.completed() >= done + messages)

    def _load(self, port: int, recipient: str, messages: int, reuses: bool) -> None:
        words = [program("smtp-source"), "-s", str(SESSIONS), "-l", str(SIZE)]
        words += ["-m", str(messages), "-f", "sender@source.test"]
        words += ["-t", recipient, *(["-d"] if reuses else []), f"127.0.0.1:{port}"]
        subprocess.run(words, env=environment(), check=True, timeout=300)


def _wait(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the messages do not come through")
        time.sleep(0.1)


def measure(comparison: Comparison, cell: Cell, rounds: int) -> bool:
    """Print a cell's figures; return whether our share is within its bounds."""
    found: dict[str, list[float]] = {name: [] for name in KINDS}
    for _ in range(rounds):
        for name, figures in found.items():
            figures.append(comparison.run(cell, name))
    middle = {name: statistics.median(figures) for name, figures in found.items()}
    words = [f"{name} {value:.2f} ms" for name, value in middle.items()]
    passed = True
    for peer, bound in cell.bounds.items():
        share = middle["ours"] / middle[peer]
        passed &= share <= bound
        words.append(f"{share:.2f} of {peer}'s (at most {bound})")
    print(f"{cell.name}: {'; '.join(words)} {'ok' if passed else 'MISSED'}", flush=True)
    return passed


def main(words: list[str]) -> int:
    """Measure every cell; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=None, help="words in cell names")
    arguments = parser.parse_args(words)
    passed = True
    with Comparison(arguments.messages) as comparison:
        for cell in CELLS:
            if arguments.only and not any(w in cell.name for w in arguments.only):
                continue
            passed &= measure(comparison, cell, arguments.rounds)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
