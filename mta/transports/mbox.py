"""Append messages to mailbox files, under the locks that mail programs agree on.

The order of checks is that of Exim's chapter 26, "operational details for appending".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mta.errors import TemporaryFailure
from mta.transports.content import Content
from mta.transports.directories import flush_directory, make_directories
from mta.transports.identity import Identity, ThreadIdentity
from mta.transports.mailbox_errors import (
    INODE_CHANGED,
    NOT_REGULAR,
    WRONG_MODE,
    WRONG_OWNER,
    mailbox_failure,
    not_in_place,
    system_failure,
)
from mta.transports.mailbox_locks import LockFile, Locking, lock_descriptor

_VANISHING_LIMIT = 10


@dataclass(slots=True)
class MailboxJob:
    """One message that is appended to one file."""

    path: str
    content: Content
    locking: Locking
    mode: int = 0o600
    directory_mode: int = 0o700
    create_directory: bool = True
    may_create: bool = True
    must_exist: bool = False
    allow_symlink: bool = False
    check_owner: bool = True
    check_group: bool = False
    fail_narrower: bool = True
    identity: Identity | None = None


class MailboxWriter:
    """Appends messages one after the other, in one thread.

    A mailbox that somebody else has locked gives a ``Locked`` failure at once: the
    caller waits, so that other mailboxes need not.
    """

    def __init__(self, host_name: str) -> None:
        self._host_name = host_name
        self._identities = ThreadIdentity()

    def work(self, jobs: list[MailboxJob]) -> list[TemporaryFailure | None]:
        """Append the messages; return a failure, or None, for each."""
        return [self._deliver(job) for job in jobs]

    def _deliver(self, job: MailboxJob) -> TemporaryFailure | None:
        try:
            with self._opened(job) as descriptor:
                lock_descriptor(descriptor, job.path, job.locking)
                _append(descriptor, job.content)
        except TemporaryFailure as failure:
            return failure
        except OSError as error:
            return system_failure(f"while writing to {job.path}", error)
        return None

    @contextmanager
    def _opened(self, job: MailboxJob) -> Iterator[int]:
        # Only names are looked up with the user's rights; the content may come from
        # a file of ours that the user cannot read.
        folder = os.path.dirname(job.path)
        lock = LockFile(job.path, job.locking, self._host_name)
        with self._identities.of(job.identity):
            if job.create_directory and job.may_create and not job.must_exist:
                make_directories(folder, job.directory_mode)
            lock.take()
            try:
                descriptor, is_created = self._open(job)
            except BaseException:
                lock.release()
                raise
        try:
            yield descriptor
        finally:
            os.close(descriptor)
            with self._identities.of(job.identity):
                lock.release()
                if is_created:
                    flush_directory(folder)

    def _open(self, job: MailboxJob) -> tuple[int, bool]:
        """Return a descriptor of the mailbox, and whether it was created."""
        for _ in range(_VANISHING_LIMIT):
            try:
                status = os.lstat(job.path)
            except FileNotFoundError:
                try:
                    return self._create(job), True
                except FileExistsError:
                    continue
            try:
                return self._open_existing(job, status), False
            except FileNotFoundError:
                continue
        raise mailbox_failure(f"mailbox {job.path} keeps vanishing", freeze=True)

    def _create(self, job: MailboxJob) -> int:
        if job.must_exist:
            raise mailbox_failure(f"mailbox {job.path} does not exist, but must")
        if not job.may_create:
            raise not_in_place(job.path)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(job.path, flags, job.mode)
        if job.mode & 0o077:  # the umask may have taken these away
            os.fchmod(descriptor, job.mode)
        return descriptor

    def _open_existing(self, job: MailboxJob, status: os.stat_result) -> int:
        uid = job.identity.uid if job.identity else os.geteuid()
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        if stat.S_ISLNK(status.st_mode):
            if not job.allow_symlink:
                raise mailbox_failure(
                    f"mailbox {job.path} is a symbolic link", error=NOT_REGULAR
                )
            if status.st_uid != uid and job.check_owner:
                raise _wrong_owner(job, "the link", status)
            status = os.stat(job.path)
            flags &= ~os.O_NOFOLLOW
        self._check(job, status, uid)
        descriptor = os.open(job.path, flags)
        try:
            opened = os.fstat(descriptor)
            if _facts(opened) != _facts(status):
                raise mailbox_failure(
                    f"mailbox {job.path} changed while it was opened",
                    error=INODE_CHANGED,
                    freeze=True,
                )
            self._narrow(job, descriptor, opened)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check(self, job: MailboxJob, status: os.stat_result, uid: int) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise mailbox_failure(
                f"mailbox {job.path} is not a regular file", error=NOT_REGULAR
            )
        if job.check_owner and status.st_uid != uid:
            raise _wrong_owner(job, "it", status)
        gid = job.identity.gid if job.identity else os.getegid()
        if job.check_group and status.st_gid != gid:
            raise _wrong_owner(job, "it", status)

    def _narrow(self, job: MailboxJob, descriptor: int, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if mode == job.mode:
            return
        if mode & ~job.mode:
            os.fchmod(descriptor, mode & job.mode)
            mode &= job.mode
        if mode != job.mode and job.fail_narrower:
            raise mailbox_failure(
                f"mailbox {job.path} has the wrong mode {mode:03o} "
                f"({job.mode:03o} expected)",
                error=WRONG_MODE,
            )


def _append(descriptor: int, content: Content) -> None:
    before = os.fstat(descriptor)
    try:
        for piece in content.pieces():
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, before.st_size)
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        raise


def _wrong_owner(
    job: MailboxJob, what: str, status: os.stat_result
) -> TemporaryFailure:
    return mailbox_failure(
        f"mailbox {job.path}: {what} belongs to uid={status.st_uid} "
        f"gid={status.st_gid}, not to the user of the delivery",
        error=WRONG_OWNER,
    )


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_uid,
        status.st_gid,
    )
