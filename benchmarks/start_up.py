"""How long the daemon takes to its first banner, and commands to answer.

``python -m benchmarks.start_up`` prints the best of several starts, since a busy machine
only makes them slower, and fails where a bound is broken.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.interop.peers import free_port

TRIES = 5
BANNER_LIMIT = 0.7
COMMAND_LIMIT = 0.4
COMMANDS = (["-be", "${lc:ABC}"], ["-bp"], ["-bV"])


def banner_seconds(twistd: str) -> float:
    """Return the seconds from the start of the process to the banner."""
    port = free_port()
    words = [twistd, "--nodaemon", "--pidfile=", "mta", "--quiet"]
    began = time.monotonic()
    process = subprocess.Popen(
        [*words, "--listen", f"127.0.0.1.{port}"], stdout=subprocess.DEVNULL
    )
    try:
        while time.monotonic() - began < 20:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as client:
                    if client.recv(3) == b"220":
                        return time.monotonic() - began
            except ConnectionRefusedError:
                time.sleep(0.005)
        raise AssertionError("no banner")
    finally:
        process.terminate()
        process.wait(20)


def command_seconds(words: list[str]) -> float:
    """Return how long a command takes."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "mta", *words], stdout=subprocess.DEVNULL, check=True
    )
    return time.monotonic() - began


def main() -> int:
    """Print the figures; return 1 where one is above its bound."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    passed = True
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_STATE_HOME"] = directory
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
        twistd = str(Path(sys.executable).with_name("twistd"))
        figures = {"first banner": (BANNER_LIMIT, lambda: banner_seconds(twistd))}
        for words in COMMANDS:
            figures[f"mta {' '.join(words)}"] = (
                COMMAND_LIMIT,
                lambda words=words: command_seconds(words),
            )
        for name, (limit, measure) in figures.items():
            best = min(measure() for _ in range(TRIES))
            passed &= best <= limit
            print(f"{name}: {best:.2f} s (at most {limit})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
