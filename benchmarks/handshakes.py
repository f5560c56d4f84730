"""CPU and memory of TLS sessions, beside Exim in the same run.

``python -m benchmarks.handshakes [--quick] [--memory]`` has clients say EHLO, STARTTLS,
EHLO by TLS 1.3, and QUIT, and prints what a session costs the server in CPU time, how
much of it the staple, and what an idle one takes of memory; with ``--memory`` also what
20,000 sessions leave behind.  It fails where a bound is broken.  It runs as root, and
needs the Exim of ``.ci/peers``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.idle_sessions import resident_kib
from benchmarks.stapling import Clients as MemoryClients
from benchmarks.stapling import contexts, seconds_each
from benchmarks.tls_clients import Clients
from benchmarks.tls_servers import EximWithTLS, Material, OursWithTLS, materials

MILLISECONDS = {"P-256": 2.0, "RSA-2048": 2.8}
SHARE_OF_EXIM = 0.6
STAPLE = 0.05
IDLE_KIB = 96.0
GROWN_KIB = 1024
SESSIONS = 60  # in one go, before it is another's turn
SHAKEN = 600
IDLE = 500
MANY = 20_000
WARM_UP = 500


@contextmanager
def running(server: Any) -> Iterator[tuple[Any, Clients]]:
    """Give a server and its clients, and stop it in the end."""
    try:
        clients = Clients(server.port)
        # What is loaded or forked for the first ones is no cost of each.
        clients.run(SESSIONS)
        yield server, clients
    finally:
        server.stop()


def milliseconds(server: Any, clients: Clients) -> float:
    """Return the CPU time of the server for each of some sessions."""
    before = server.group.used()
    clients.run(SESSIONS)
    time.sleep(0.1)
    spent: float = server.group.used() - before
    return spent * 1000 / SESSIONS


def measure(material: Material, rounds: int) -> bool:
    """Print what a session costs; return whether all is within its bounds.

    Who comes first in a round changes, so that no one has the better neighbours.
    """
    found: dict[str, list[float]] = {"ours": [], "Exim": []}
    with (
        running(OursWithTLS(material)) as ours,
        running(EximWithTLS(material)) as exim,
    ):
        whom = {"ours": ours, "Exim": exim}
        for number in range(rounds):
            for name in whom if number % 2 else reversed(whom):
                found[name].append(milliseconds(*whom[name]))
    # What disturbs a run only ever adds to it.
    ours_each, exim_each = (sorted(times)[rounds // 5] for times in found.values())
    print(f"{material.name}, Exim {exim_each:.2f} ms:")
    bound = MILLISECONDS[material.name]
    passed = [
        within("ms for a session", ours_each, bound),
        within("of Exim's", ours_each / exim_each, SHARE_OF_EXIM),
        within("of it for the staple", staple_cost(material) / ours_each, STAPLE),
    ]
    return all(passed)


def staple_cost(material: Material) -> float:
    """Return the milliseconds that a staple adds to a handshake in memory.

    It is too little to be seen in the time of a whole server.
    """
    with tempfile.TemporaryDirectory() as directory:
        both = contexts(Path(directory), material.key)
        without, stapled = seconds_each(MemoryClients().shake_hands, both, SHAKEN)
    return (stapled - without) * 1000


def within(what: str, value: float, bound: float) -> bool:
    """Print a figure; return whether it is within its bound."""
    is_good = value <= bound
    print(f"  {value:8.2f} {what} (at most {bound}) {'ok' if is_good else 'MISSED'}")
    sys.stdout.flush()
    return is_good


def measure_idle(material: Material) -> bool:
    """Print what a client that says nothing takes; return whether it is little."""
    with running(OursWithTLS(material)) as (server, clients), ExitStack() as stack:
        # What is kept for the first ones belongs to all.
        for _ in range(SESSIONS // 10):
            clients.begin(stack, 10)
        time.sleep(1)
        before = resident_kib(server.pid)
        for _ in range(IDLE // 10):
            clients.begin(stack, 10)
        time.sleep(1)
        grown = resident_kib(server.pid) - before
    return within("KiB for an idle session", grown / IDLE, IDLE_KIB)


def measure_growth(material: Material) -> bool:
    """Print by how much many sessions let the server grow; return whether it is little."""
    with running(OursWithTLS(material)) as (server, clients):
        clients.run(WARM_UP)
        time.sleep(1)
        before = resident_kib(server.pid)
        clients.run(MANY)
        time.sleep(1)
        grown = resident_kib(server.pid) - before
    return within(f"KiB more after {MANY} sessions", grown, GROWN_KIB)


def main(words: list[str]) -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument(
        "--memory", action="store_true", help="what 20,000 leave behind"
    )
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as directory:
        both = materials(Path(directory))
        passed = [measure(each, 7 if arguments.quick else 31) for each in both]
        print("Memory:")
        passed.append(measure_idle(both[0]))
        if arguments.memory:
            passed.append(measure_growth(both[0]))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
