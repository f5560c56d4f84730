"""Whether the disks have room for a message (Exim's check_spool_space and its kin)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from mta.interfaces import ILogs

MARGIN = 5000
SECONDS = 1.0


class SpaceOptions(Protocol):
    """What must be free: octets and inodes of two file systems."""

    check_spool_space: int
    check_spool_inodes: int
    check_log_space: int
    check_log_inodes: int
    smtp_check_spool_space: bool


class DiskSpace:
    """Looks at the file systems of spool and logs, each once a second at most.

    ``log_directory`` is empty where there are no log files.
    """

    def __init__(
        self,
        spool_directory: str,
        log_directory: str,
        *,
        options: SpaceOptions,
        logs: ILogs,
        clock: Callable[[], float],
    ) -> None:
        self._spool = spool_directory
        self._log = log_directory
        self._options = options
        self._logs = logs
        self._clock = clock
        self._seen: dict[str, tuple[float, os.statvfs_result]] = {}

    def suffices(self, declared_size: int) -> bool:
        """Return whether there is room for a message; log it where there is not."""
        options = self._options
        space = options.check_spool_space
        if options.smtp_check_spool_space and declared_size > 0:
            space += declared_size + MARGIN
        return self._has_space(
            "spool", self._spool, space, options.check_spool_inodes
        ) and self._has_space(
            "log", self._log, options.check_log_space, options.check_log_inodes
        )

    def _has_space(self, name: str, directory: str, space: int, inodes: int) -> bool:
        if not directory or (space <= 0 and inodes <= 0):
            return True
        try:
            found = self._file_system(directory)
        except OSError as error:
            self._logs.panic(f"cannot find the space in {directory}: {error.strerror}")
            return False
        free = found.f_bavail * found.f_frsize
        # Some file systems have no fixed number of inodes and say 0.
        has_inodes = found.f_files <= 0 or found.f_favail >= inodes
        if free >= space and has_inodes:
            return True
        self._logs.main(
            f"{name} directory space check failed: space={free // 1024}K "
            f"inodes={found.f_favail}"
        )
        return False

    def _file_system(self, directory: str) -> os.statvfs_result:
        now = self._clock()
        seen = self._seen.get(directory)
        if seen is not None and 0 <= now - seen[0] < SECONDS:
            return seen[1]
        found = os.statvfs(directory)
        self._seen[directory] = (now, found)
        return found
