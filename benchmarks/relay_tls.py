"""CPU of relaying messages over TLS that is reused, beside Exim in the same run.

``python -m benchmarks.relay_tls [--messages N] [--rounds N]`` has messages of 10 KB sent
in clear to each of both, which relay them to a daemon with TLS and a staple that throws
them away.  It runs as root, with the peers of ``.ci/peers``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.servers import MeasuredExim, Ours
from benchmarks.throughput import SESSIONS, SIZE
from benchmarks.tls_servers import Material
from tests.interop.daemon import Daemon
from tests.interop.peers import environment, program
from tests.interop.programs import wait_for

SHARE = 0.5
SINK = """\
acl_smtp_data = throw_away
host_lookup =
smtp_accept_max_per_connection = 0
{options}
"""
ACL = "begin acl\nthrow_away:\n  discard\n"


def sink(material: Material) -> Daemon:
    """Start a daemon that takes everything over TLS, and keeps nothing."""
    daemon = Daemon(main=SINK.format(options=material.options), runs=False)
    daemon.rewrite("begin acl\n", ACL)
    daemon.run()
    return daemon


def milliseconds(server: Any, messages: int) -> float:
    """Return the CPU time of a message from its coming to its leaving."""
    _send(server, messages // 10)
    before = server.group.used()
    _send(server, messages)
    time.sleep(0.5)
    used: float = server.group.used() - before
    return used * 1000 / messages


def _send(server: Any, messages: int) -> None:
    done = server.completed()
    words = [program("smtp-source"), "-s", str(SESSIONS), "-l", str(SIZE)]
    words += ["-m", str(messages), "-f", "sender@source.test"]
    words += ["-t", "user@elsewhere.test", f"127.0.0.1:{server.port}"]
    subprocess.run(words, env=environment(), check=True, timeout=300)
    wait_for(lambda: server.completed() >= done + messages, 300, "the messages")


def main(words: list[str]) -> int:
    """Print the figures; return 1 where the bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(words)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        Path(directory).chmod(0o755)
        target = sink(Material(Path(directory), "P-256"))
        stack.callback(target.stop)
        servers = {"ours": Ours(target.port), "exim": MeasuredExim(target.port)}
        for server in servers.values():
            stack.callback(server.stop)
        found: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(arguments.rounds):
            for name, figures in found.items():
                figures.append(milliseconds(servers[name], arguments.messages))
        log = servers["ours"].directory / "spool" / "log" / "mainlog"
        assert " X=TLS1.3:" in log.read_text(), "nothing went over TLS"
    ours, exim = (statistics.median(found[name]) for name in ("ours", "exim"))
    is_good = ours <= SHARE * exim
    print(
        f"accept and relay over TLS: ours {ours:.2f} ms; exim {exim:.2f} ms; "
        f"{ours / exim:.2f} of exim's (at most {SHARE}) {'ok' if is_good else 'MISSED'}"
    )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
