"""Deliver into mailbox files, Maildirs and directories (Exim chapter 26)."""

from __future__ import annotations

import hashlib
from typing import Any

from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.option_types import Expanded
from mta.interfaces import ITemplate
from mta.options import Boolean, Integer, Interval, OctalInteger, Option, Source, String
from mta.recipient import Outcome
from mta.taint import untainted
from mta.transports.base import Batch, Transport, transport
from mta.transports.content import Content
from mta.transports.delivery_thread import DeliveryThread
from mta.transports.identity import Identity, identity_for
from mta.transports.local import deliver_locally, from_line
from mta.transports.mailbox_errors import NOT_ABSOLUTE, mailbox_failure
from mta.transports.mailbox_locks import Locked, Locking
from mta.transports.maildir import FileJob, FileWriter
from mta.transports.mbox import MailboxJob, MailboxWriter


class _PlaceType:
    name = "place"

    def parse(self, text: str, source: Source) -> str:
        if text in ("anywhere", "inhome", "belowhome") or text.startswith("/"):
            return text
        raise source.error(
            f'"{text}" is none of anywhere, inhome, belowhome or an absolute path'
        )


@transport("appendfile")
class AppendfileTransport(Transport):
    """Deliver into a mailbox file, a Maildir or a directory."""

    file = Option(Expanded, None, "Mailbox file that the message is appended to.")
    directory = Option(Expanded, None, "Directory that the message is delivered into.")
    maildir_format = Option(Boolean, "false", "Deliver into the directory as Maildir.")
    maildir_tag = Option(Expanded, None, "What is added to the name of a Maildir file.")
    create_directory = Option(Boolean, "true", "Make directories that are missing.")
    create_file = Option(_PlaceType(), "anywhere", "Where files may be created.")
    file_must_exist = Option(Boolean, "false", "Defer where there is no mailbox file.")
    directory_mode = Option(OctalInteger, "0700", "Mode of directories that are made.")
    mode = Option(OctalInteger, "0600", "Mode of mailbox files.")
    mode_fail_narrower = Option(
        Boolean, "true", "Defer where a mailbox file allows less than its mode."
    )
    check_owner = Option(Boolean, "true", "Require that a mailbox file is the user's.")
    check_group = Option(Boolean, "false", "Require that it is the group's as well.")
    allow_symlink = Option(Boolean, "false", "Deliver through a symbolic link.")
    check_string = Option(
        String, None, "Start of a line to replace; From in mailbox files if unset."
    )
    escape_string = Option(
        String, None, "What replaces it; >From in mailbox files if unset."
    )
    message_prefix = Option(
        Expanded,
        None,
        "What precedes a message; a From line in mailbox files if unset.",
    )
    message_suffix = Option(
        Expanded,
        None,
        "What follows a message; an empty line in mailbox files if unset.",
    )
    use_crlf = Option(Boolean, "false", "End lines with CRLF.")
    use_lockfile = Option(Boolean, "true", "Lock a mailbox file by a file beside it.")
    use_fcntl_lock = Option(Boolean, "true", "Lock a mailbox file with fcntl().")
    use_flock_lock = Option(Boolean, "false", "Lock a mailbox file with flock().")
    lock_retries = Option(Integer, "10", "How often to try to lock a mailbox file.")
    lock_interval = Option(Interval, "3s", "How long to wait before the next try.")
    lockfile_timeout = Option(Interval, "30m", "Age at which a lock file is removed.")
    lockfile_mode = Option(OctalInteger, "0600", "Mode of lock files.")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.file is not None and self.directory is not None:
            raise self.source.error('"file" and "directory" cannot both be set')
        if self.maildir_format and self.file is not None:
            raise self.source.error('"maildir_format" needs "directory", not "file"')
        has_lock = self.use_lockfile or self.use_fcntl_lock or self.use_flock_lock
        if self.file is not None and not has_lock:
            raise self.source.error("a mailbox file needs a kind of lock")
        self._locking = Locking(
            self.use_lockfile,
            self.use_fcntl_lock,
            self.use_flock_lock,
            self.lockfile_timeout,
            self.lockfile_mode,
        )
        self._reactor: Any = None
        self._thread_pool: Any = None
        self._files: DeliveryThread[FileJob, TemporaryFailure | None] | None = None
        self._boxes: DeliveryThread[MailboxJob, TemporaryFailure | None] | None = None

    def attach(self, *, reactor: Any, thread_pool: Any) -> None:
        """Take the reactor that waits and the threads that may block."""
        self._reactor = reactor
        self._thread_pool = thread_pool

    async def close(self) -> None:
        """Wait for the deliveries that are under way."""
        for thread in (self._files, self._boxes):
            if thread is not None:
                await thread.stop()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Write the message, once for all addresses of the batch."""
        return await deliver_locally(batch, self._deliver)

    async def _deliver(self, batch: Batch) -> None:
        await self.check_size(batch.message, batch.context)
        user, group = await self.run_as(batch)
        identity = identity_for(user, group, batch.context.site, self.name)
        path, is_directory = await self._target(batch)
        home = None
        if self.create_file in ("inhome", "belowhome"):
            home, _ = await self.directories(batch)
        path, may_create = self._in_place(path, home)
        if path == "/dev/null":
            return
        if is_directory:
            await self._write_file(batch, path, may_create, identity)
        else:
            await self._append(batch, path, may_create, identity)

    async def _target(self, batch: Batch) -> tuple[str, bool]:
        """Return the path to deliver to, and whether it is a directory."""
        template = self.file or self.directory
        if template is not None:
            path = (await template.expand(batch.context)).strip()
            return path, self.directory is not None
        name = batch.addresses[0].file_name
        if name is None:
            raise mailbox_failure(
                f"neither file nor directory is set for {self.name} transport"
            )
        return name, self.maildir_format or name.endswith("/")

    def _in_place(self, path: str, home: str | None) -> tuple[str, bool]:
        """Return the trusted path, and whether it may be created."""
        may_create = self.create_file == "anywhere"
        if not may_create:
            root = home if self.create_file in ("inhome", "belowhome") else None
            if self.create_file.startswith("/"):
                root = self.create_file
            may_create = bool(root) and path.startswith(f"{root}".rstrip("/") + "/")
            if self.create_file != "inhome":
                parts = path.split("/")
                may_create = may_create and ".." not in parts
                if may_create:
                    path = str(path)  # what is below a trusted directory is trusted
        untainted(path, f"file or directory name (in {self.name} transport)")
        if not path.startswith("/") or "\0" in path:
            raise mailbox_failure(
                f'"{path}" is not an absolute path in {self.name} transport',
                error=NOT_ABSOLUTE,
            )
        return path, may_create

    async def _content(self, batch: Batch, *, is_mailbox: bool) -> Content:
        prefix = from_line(batch) if is_mailbox else b""
        suffix = b"\n" if is_mailbox else b""
        check = b"From " if is_mailbox else b""
        escape = b">From " if is_mailbox else b""
        if self.message_prefix is not None:
            prefix = await _octets(self.message_prefix, batch)
        if self.message_suffix is not None:
            suffix = await _octets(self.message_suffix, batch)
        if self.check_string is not None:
            check = self.check_string.encode("utf-8", "surrogateescape")
        if self.escape_string is not None:
            escape = self.escape_string.encode("utf-8", "surrogateescape")
        prepared = await self.prepare(batch)
        return Content(prepared, self.use_crlf, check, escape, prefix, suffix)

    async def _write_file(
        self, batch: Batch, path: str, may_create: bool, identity: Identity | None
    ) -> None:
        content = await self._content(batch, is_mailbox=False)
        job = FileJob(
            path.rstrip("/"),
            content,
            self.maildir_format,
            await self._tag(batch, content) if self.maildir_tag is not None else "",
            self.mode,
            self.directory_mode,
            self.create_directory,
            may_create,
            identity,
            delivery_identifier(batch),
            batch.context.queue_running,
        )
        if self._files is None:
            writer = FileWriter(batch.context.site.primary_hostname)
            self._files = DeliveryThread(
                writer.work,
                call_in_reactor=self._reactor.callFromThread,
                name=f"{self.name} files",
            )
        failure = await self._files.do(job)
        if failure is not None:
            raise failure

    async def _tag(self, batch: Batch, content: Content) -> str:
        from twisted.internet.threads import (  # noqa: PLC0415 (start-up time)
            deferToThreadPool,
        )

        assert self.maildir_tag is not None
        size: int = await deferToThreadPool(
            self._reactor, self._thread_pool, content.size
        )
        values = batch.context.values
        batch.context.values = {**values, "message_size": str(size)}
        try:
            tag = await self.maildir_tag.expand(batch.context)
        except ForcedFailure:
            return ""
        finally:
            batch.context.values = values
        untainted(tag, "maildir_tag")
        tag = "".join(character for character in tag if character.isprintable())
        if "/" in tag:
            raise mailbox_failure(f'maildir_tag "{tag}" contains a slash')
        return f":{tag}" if tag[:1].isalnum() else tag

    async def _append(
        self, batch: Batch, path: str, may_create: bool, identity: Identity | None
    ) -> None:
        job = MailboxJob(
            path,
            await self._content(batch, is_mailbox=True),
            self._locking,
            self.mode,
            self.directory_mode,
            self.create_directory,
            may_create,
            self.file_must_exist,
            self.allow_symlink,
            self.check_owner,
            self.check_group,
            self.mode_fail_narrower,
            identity,
        )
        failure = await self._mailbox_thread(batch).do(job)
        for _ in range(self.lock_retries - 1):
            if not isinstance(failure, Locked):
                break
            await self._wait(self.lock_interval)
            failure = await self._mailbox_thread(batch).do(job)
        if failure is not None:
            raise failure

    def _mailbox_thread(
        self, batch: Batch
    ) -> DeliveryThread[MailboxJob, TemporaryFailure | None]:
        if self._boxes is None:
            writer = MailboxWriter(batch.context.site.primary_hostname)
            self._boxes = DeliveryThread(
                writer.work,
                call_in_reactor=self._reactor.callFromThread,
                name=f"{self.name} mailboxes",
            )
        return self._boxes

    async def _wait(self, seconds: float) -> None:
        from twisted.internet.defer import Deferred  # noqa: PLC0415 (start-up time)

        waiting: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, waiting.callback, None)
        await waiting


async def _octets(template: ITemplate, batch: Batch) -> bytes:
    return (await template.expand(batch.context)).encode("utf-8", "surrogateescape")


def delivery_identifier(batch: Batch) -> str:
    """Return what no other delivery has, and this one again after a crash.

    It begins with the time of the message's arrival, as names in Maildirs do; empty
    for a message that has no id.
    """
    message = batch.message
    if not message.message_id:
        return ""
    places = [
        f"{one.router} {one.transport} {one.address.key} {one.file_name or ''}"
        for one in batch.addresses
    ]
    octets = "\n".join(places).encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(octets, digest_size=8).hexdigest()
    return f"{int(message.received_at)}.{message.message_id}_{digest}"
