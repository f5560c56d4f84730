"""CPU seconds of a server and of everything that it ever started.

Servers fork, fork again and let children go.  The measuring process makes itself the
one to which orphans of its descendants fall, reaps them, and adds up what they used.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_TICK = os.sysconf("SC_CLK_TCK")


class Accounting:
    """Adds up CPU time by the server that used it.

    ``ignore`` takes the pids of load generators and sinks, which are no part of any
    server.  What an orphan used goes to the server named by ``current``.
    """

    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._ignored: set[int] = set()
        self._servers: dict[int, str] = {}
        self._reaped: dict[str, float] = {}
        self.current = ""

    def add_server(self, name: str, pid: int) -> None:
        """Count a process and its descendants under a name."""
        self._servers[pid] = name

    def ignore(self, pid: int) -> None:
        """Leave a process out."""
        self._ignored.add(pid)

    def reap(self) -> dict[int, int]:
        """Collect ended children; return exit statuses by pid."""
        ended = {}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended[pid] = status
            if pid not in self._ignored:
                name = self._servers.get(pid, self.current)
                used = usage.ru_utime + usage.ru_stime
                self._reaped[name] = self._reaped.get(name, 0.0) + used
        return ended

    def used(self, name: str) -> float:
        """Return the CPU seconds that a server has used up to now."""
        self.reap()
        processes = dict(_processes())
        total = self._reaped.get(name, 0.0)
        for pid, (_, ticks) in processes.items():
            if self._owner(pid, processes) == name:
                total += ticks / _TICK
        return total

    def _owner(self, pid: int, processes: dict[int, tuple[int, int]]) -> str | None:
        own = os.getpid()
        while pid in processes and pid not in (0, 1, own):
            if pid in self._ignored:
                return None
            if pid in self._servers:
                return self._servers[pid]
            parent = processes[pid][0]
            if parent == own:
                return self.current
            pid = parent
        return None


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        # Own time and that of reaped children, in clock ticks.
        ticks = sum(int(field) for field in fields[11:15])
        yield int(entry.name), (int(fields[1]), ticks)
