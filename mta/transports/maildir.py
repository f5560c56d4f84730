"""Write messages into Maildirs and plain directories, many with few flushes.

A message is in ``new/`` only when it is on the disk: the file is flushed, then
renamed, then the directory is flushed, before anybody is told.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from mta.errors import TemporaryFailure
from mta.transports.content import Content
from mta.transports.directories import flush_directory, make_directories
from mta.transports.identity import Identity, ThreadIdentity
from mta.transports.mailbox_errors import not_in_place, system_failure

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME_LIMIT = 255
_SUBDIRECTORIES = ("tmp", "new", "cur")


@dataclass(slots=True)
class FileJob:
    """One message that becomes one new file.

    ``is_maildir`` chooses between ``tmp/`` and ``new/`` of a Maildir and the plain
    directory itself.  ``tag`` is added to the file's name in ``new/``.
    ``create_directory`` allows to make missing directories, ``may_create`` to make
    the one that is delivered into (``create_file``).  ``identifier`` names this delivery
    and no other, for the file's name in a Maildir; where ``may_be_there`` is set an
    earlier process may have made it already.  After the work ``path`` says where it is,
    or ``failure`` why not.
    """

    directory: str
    content: Content
    is_maildir: bool = True
    tag: str = ""
    mode: int = 0o600
    directory_mode: int = 0o700
    create_directory: bool = True
    may_create: bool = True
    identity: Identity | None = None
    identifier: str = ""
    may_be_there: bool = False
    failure: TemporaryFailure | None = None
    path: str = ""
    temporary_path: str = ""
    descriptor: int = -1


class FileWriter:
    """Does batches of jobs, in one thread."""

    def __init__(
        self, host_name: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        # Maildir's rule for characters of a host name that a file name cannot have.
        self._host_name = host_name.replace("/", r"\057").replace(":", r"\072")
        self._clock = clock
        self._sequence = 0
        self._identities = ThreadIdentity()

    def work(self, jobs: list[FileJob]) -> list[TemporaryFailure | None]:
        """Write the messages; return a failure, or None, for each."""
        self._as_users(self._open, jobs)
        for step in (self._write, self._flush):
            for job in jobs:
                self._try(step, job)
        self._as_users(self._rename, jobs)
        self._flush_directories([job for job in jobs if job.failure is None])
        return [job.failure for job in jobs]

    def _as_users(self, step: Callable[[FileJob], None], jobs: list[FileJob]) -> None:
        # To become another user takes longer than to rename a file.
        users: dict[Identity | None, list[FileJob]] = {}
        for job in jobs:
            users.setdefault(job.identity, []).append(job)
        for identity, theirs in users.items():
            try:
                with self._identities.of(identity):
                    for job in theirs:
                        self._try(step, job)
            except OSError as error:
                for job in theirs:
                    self._fail(job, error)

    def _try(self, step: Callable[[FileJob], None], job: FileJob) -> None:
        if job.failure is not None:
            return
        try:
            step(job)
        except TemporaryFailure as failure:
            job.failure = failure
        except OSError as error:
            self._fail(job, error)

    def _fail(self, job: FileJob, error: OSError) -> None:
        job.failure = system_failure(f"while writing to {job.directory}", error)
        self._clean_up(job)

    def _open(self, job: FileJob) -> None:
        try:
            self._create(job)
        except FileNotFoundError:
            self._make_directories(job)
            self._create(job)

    def _create(self, job: FileJob) -> None:
        name = self._next_name()
        inside = f"tmp/{name}" if job.is_maildir else f"temp.{name}"
        path = f"{job.directory}/{inside}"
        job.descriptor = os.open(path, _CREATE, job.mode)
        job.temporary_path = path
        if job.mode & 0o077:  # the umask may have taken these away
            os.fchmod(job.descriptor, job.mode)
        if job.is_maildir:
            if job.identifier:
                name = f"{job.identifier}.{self._host_name}"
            with_tag = name + job.tag
            fits = len(os.fsencode(with_tag)) <= _NAME_LIMIT
            job.path = f"{job.directory}/new/{with_tag if fits else name}"
        else:
            number = os.fstat(job.descriptor).st_ino
            job.path = f"{job.directory}/q{_base62(int(self._clock()))}-{number}"

    def _next_name(self) -> str:
        self._sequence += 1
        now = self._clock()
        microseconds = int(now % 1 * 1_000_000)
        process = f"{os.getpid()}_{self._sequence}"
        return f"{int(now)}.H{microseconds}P{process}.{self._host_name}"

    def _make_directories(self, job: FileJob) -> None:
        if not job.create_directory:
            raise FileNotFoundError(errno.ENOENT, "", job.directory)
        if not job.may_create and not os.path.isdir(job.directory):
            raise not_in_place(job.directory)
        paths = [job.directory]
        if job.is_maildir:
            paths = [f"{job.directory}/{name}" for name in _SUBDIRECTORIES]
        for path in paths:
            make_directories(path, job.directory_mode)

    def _write(self, job: FileJob) -> None:
        for piece in job.content.pieces():
            view = memoryview(piece)
            while view:
                view = view[os.write(job.descriptor, view) :]

    def _flush(self, job: FileJob) -> None:
        os.fdatasync(job.descriptor)
        os.close(job.descriptor)
        job.descriptor = -1

    def _rename(self, job: FileJob) -> None:
        if job.may_be_there and job.identifier and self._is_there(job):
            os.unlink(job.temporary_path)
            job.temporary_path = ""
            return
        try:
            os.rename(job.temporary_path, job.path)
        except FileNotFoundError:
            self._make_directories(job)
            os.rename(job.temporary_path, job.path)
        job.temporary_path = ""

    def _is_there(self, job: FileJob) -> bool:
        """Return whether a process that died had delivered this; ``path`` says where."""
        begin = f"{job.identifier}.{self._host_name}"
        for folder in ("new", "cur"):
            for name in os.listdir(f"{job.directory}/{folder}"):
                if name.startswith(begin):
                    job.path = f"{job.directory}/{folder}/{name}"
                    return True
        return False

    def _flush_directories(self, jobs: list[FileJob]) -> None:
        folders: dict[str, list[FileJob]] = {}
        for job in jobs:
            folders.setdefault(os.path.dirname(job.path), []).append(job)
        for folder, inside in folders.items():
            try:
                with self._identities.of(inside[0].identity):
                    flush_directory(folder)
            except OSError as error:
                for job in inside:
                    job.failure = system_failure(f"while flushing {folder}", error)

    def _clean_up(self, job: FileJob) -> None:
        if job.descriptor >= 0:
            os.close(job.descriptor)
            job.descriptor = -1
        if job.temporary_path:
            try:
                with self._identities.of(job.identity):
                    os.unlink(job.temporary_path)
            except OSError:
                pass  # Maildir readers remove old files from tmp/


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _base62(number: int) -> str:
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text
