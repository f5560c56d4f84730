"""What the PROXY protocol adds to accepting a message: at most 5 %.

``python -m benchmarks.proxy_accept [--messages N] [--rounds N]`` sends messages of
10 KB through HAProxy, a connection each, with a header of version 2 and without, and
compares the CPU time of our whole process group.  It runs as root, needs HAProxy and
the peers of ``.ci/peers``, and ends with 1 where the bound is broken.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.servers import Ours
from tests.interop.peers import Peer, environment, free_port, program

BOUND = 1.05
SIZE = 10_000
SESSIONS = 10
# HAProxy's own address towards us: we ask whether we are up from another.
PROXY = "127.0.0.3"
SETTINGS = {
    "without": ("queue_only", ""),
    "version 2": (f"queue_only\nhosts_proxy = {PROXY}", "send-proxy-v2"),
}
_CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen accept
    bind 127.0.0.1:{port}
    server mta 127.0.0.1:{server} source {source} {options}
"""


class Balancer(Peer):
    """HAProxy before one server."""

    def __init__(self, server: int, options: str) -> None:
        super().__init__()
        text = _CONFIGURATION.format(
            port=self.port, server=server, source=PROXY, options=options
        )
        path = self.write("haproxy.cfg", text)
        self.start([program("haproxy"), "-db", "-f", str(path)])


def load(port: int, messages: int) -> None:
    """Send so many messages, a connection each."""
    words = [program("smtp-source"), "-s", str(SESSIONS), "-l", str(SIZE)]
    words += ["-m", str(messages), "-f", "sender@source.test"]
    words += ["-t", "user@elsewhere.test", f"127.0.0.1:{port}"]
    subprocess.run(words, env=environment(), check=True, timeout=300)


def measure(messages: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU milliseconds of a message in each setting, by rounds."""
    peers: list[Peer] = []
    servers: dict[str, tuple[Ours, Balancer]] = {}
    try:
        for name, (extra, options) in SETTINGS.items():
            server = Ours(free_port(), extra)
            peers.append(server)
            balancer = Balancer(server.port, options)
            peers.append(balancer)
            servers[name] = server, balancer
            load(balancer.port, messages // 2)
        found: dict[str, list[float]] = {name: [] for name in servers}
        order = list(servers.items())
        for _ in range(rounds):
            # What runs first has no advantage in the end.
            order.reverse()
            for name, (server, balancer) in order:
                before = server.group.used()
                load(balancer.port, messages)
                time.sleep(0.5)
                used = server.group.used() - before
                found[name].append(used * 1000 / messages)
    finally:
        for peer in reversed(peers):
            peer.stop()
    return found


def main(words: list[str]) -> int:
    """Measure and compare; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args(words)
    figures = measure(arguments.messages, arguments.rounds)
    # Both of a round ran under the same load of the machine.
    shares = [two / one for one, two in zip(*figures.values(), strict=True)]
    share = statistics.median(shares)
    without, with_header = map(statistics.median, figures.values())
    verdict = "ok" if share <= BOUND else "MISSED"
    print(
        f"accept without header {without:.3f} ms; with version 2 {with_header:.3f} ms; "
        f"{share:.3f} times (at most {BOUND}) {verdict}"
    )
    return 0 if share <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
