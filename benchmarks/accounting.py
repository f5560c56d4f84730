"""CPU seconds of a server and of everything that it ever started.

Servers fork, fork again, let children go and do not wait for them, so that their
processes' own figures are lost.  A control group counts for all of them.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class ControlGroup:
    """A control group, and what its processes have used.  It takes root to make one.

    ``wrap`` gives a command that runs inside.  Raises OSError where the system has no
    control groups that count CPU time.
    """

    def __init__(self, name: str) -> None:
        self._place, self._is_unified = _hierarchy()
        self._place /= f"mta-{os.getpid()}-{name}"
        self._place.mkdir()

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command as one that begins inside of the group."""
        entry = f'echo $$ > "{self._place}/cgroup.procs"; exec "$@"'
        return ["/bin/sh", "-c", entry, "sh", *command]

    def used(self) -> float:
        """Return the CPU seconds used up to now."""
        if self._is_unified:
            text = (self._place / "cpu.stat").read_text()
            figures = dict(line.split() for line in text.splitlines())
            return int(figures["usage_usec"]) / 1e6
        return int((self._place / "cpuacct.usage").read_text()) / 1e9

    def remove(self) -> None:
        """Remove the group, once its processes have ended."""
        for _ in range(50):
            with suppress(OSError):
                self._place.rmdir()
                return
            time.sleep(0.1)


def _hierarchy() -> tuple[Path, bool]:
    """Return where groups are made, and whether in the unified hierarchy."""
    found: dict[str, Path] = {}
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpuacct" in options.split(","):
            found["counting"] = Path(place)
        elif kind == "cgroup2":
            found["unified"] = Path(place)
    if "counting" in found:
        return found["counting"], False
    if "unified" in found:
        return found["unified"], True
    raise OSError("there are no control groups that count CPU time")
