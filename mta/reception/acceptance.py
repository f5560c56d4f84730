"""End of data: trace field, fix-ups, the last checks, and the commit to the spool.

From the positive reply on the message is ours.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Protocol

from mta.acl.log_text import host_and_ident
from mta.connection import Connection
from mta.errors import ExpansionError, SpoolError, TemporaryFailure
from mta.expand.context import Site
from mta.expand.option_types import Expanded
from mta.interfaces import IBodyWriter, ILogs
from mta.message import HeaderSection, Message
from mta.options import Boolean, Integer, Option
from mta.reception.arrival import arrival_line
from mta.reception.content import Content
from mta.reception.fix_ups import FixUpOptions, FixUps, Originator
from mta.reception.rejection import rejected_content
from mta.reception.space import DiskSpace
from mta.reception.tls_required import asks_for_no_tls
from mta.reception.trace import DEFAULT_TEXT, DateText, ReceivedField
from mta.reception.transaction import Decision, Transaction
from mta.smtp.reply import Reply, reply

NO_SPACE = Reply(452, ("Space shortage, please try later",))
LOCAL_PROBLEM = "Temporary local problem - please try later"


class MessageOptions(FixUpOptions):
    """How messages are received and what they may be."""

    received_header_text = Option(
        Expanded, DEFAULT_TEXT, "The Received: field; a semicolon and a date follow."
    )
    received_headers_max = Option(
        Integer, "30", "More Received: fields than these mean a mail loop."
    )
    header_maxsize = Option(
        Integer, "1M", "The octets that a header section may have in all."
    )
    header_line_maxsize = Option(
        Integer, "0", "The octets that a header field may have, 0 for any number."
    )
    check_spool_space = Option(
        Integer, "10M", "The free octets that the spool's file system must have."
    )
    check_spool_inodes = Option(
        Integer, "100", "The free inodes that the spool's file system must have."
    )
    check_log_space = Option(
        Integer, "10M", "The free octets that the logs' file system must have."
    )
    check_log_inodes = Option(
        Integer, "100", "The free inodes that the logs' file system must have."
    )
    smtp_check_spool_space = Option(
        Boolean, "true", "Add the size that MAIL declares to check_spool_space."
    )


class IMessageStore(Protocol):
    """Where accepted messages go (``mta.spool.store``)."""

    def next_id(self) -> str:
        """Return a message id that no other message has."""

    def new_body(self) -> IBodyWriter:
        """Return a writer for the body of a message that arrives."""

    async def add(self, message: Message) -> None:
        """Put a message into the queue for good.  Raises SpoolError."""


class IContentPolicy(Protocol):
    """Who judges whole messages (``mta.reception.policy``)."""

    async def data(self, transaction: Transaction) -> Decision:
        """Say whether a message is taken that came by SMTP."""

    async def not_smtp(self, transaction: Transaction) -> Decision:
        """Say whether a message is taken that came by no SMTP."""


class Acceptance:
    """Takes messages from clients and local callers into the spool.

    ``accepted`` is told of each, for its first delivery.  ``log_directory`` is where
    the space for logs is looked for; empty where there are no log files.
    ``queue_only`` leaves every message to a queue run.
    """

    def __init__(
        self,
        *,
        store: IMessageStore,
        policy: IContentPolicy,
        site: Site,
        logs: ILogs,
        options: MessageOptions,
        accepted: Callable[[Message], None],
        clock: Callable[[], float],
        log_directory: str = "",
        queue_only: bool = False,
    ) -> None:
        self.store = store
        self.policy = policy
        self.site = site
        self.logs = logs
        self.options = options
        self.accepted = accepted
        self.clock = clock
        self.unwanted = tuple(b"\n" + n.encode() for n in options.unwanted_fields)
        date = DateText().of
        self.received = ReceivedField(options.received_header_text, site, date)
        self.fix_ups = FixUps(
            options,
            qualify_domain=site.qualify_domain,
            primary_hostname=site.primary_hostname,
            date=date,
        )
        self.queue_only = queue_only
        self._space = DiskSpace(
            site.spool_directory,
            log_directory,
            options=options,
            logs=logs,
            clock=clock,
        )

    async def check_space(self, declared_size: int) -> Reply | None:
        """Return the refusal of a message where disk space runs out, else None."""
        return None if self._space.suffices(declared_size) else NO_SPACE

    def begin(
        self, transaction: Transaction, originator: Originator | None = None
    ) -> ContentSink:
        """Return what takes the content of the message in hand.

        ``originator`` is the caller of a local submission, by whom the header section
        is completed.
        """
        message = transaction.message
        assert message is not None
        message.connection = transaction.connection
        message.message_id = self.store.next_id()
        message.received_at = self.clock()
        return ContentSink(self, transaction, message, originator)


class ContentSink(Content):
    """Takes the content of one message, and at its end accepts or refuses it."""

    __slots__ = (
        "_acceptance",
        "_id_created",
        "_message",
        "_originator",
        "_transaction",
    )

    def __init__(
        self,
        acceptance: Acceptance,
        transaction: Transaction,
        message: Message,
        originator: Originator | None,
    ) -> None:
        super().__init__(acceptance.store.new_body(), acceptance.options.header_maxsize)
        self._acceptance = acceptance
        self._transaction = transaction
        self._message = message
        self._originator = originator
        self._id_created = False

    async def finish(self) -> Decision:
        """Say what becomes of the message, and have it safe where it is accepted."""
        try:
            decision = await self._decide()
        except BaseException:
            self.abandon()
            raise
        if not decision.accepted or decision.discard:
            self.abandon()
        return decision

    async def _decide(self) -> Decision:
        message, acceptance = self._message, self._acceptance
        self.finish_header()
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        message.line_count = self.line_count
        message.max_line_length = self.max_line_length
        try:
            message.body = await self.finish_body()
            await self._complete()
        except SpoolError as error:
            return self._failed(error)
        except (ExpansionError, TemporaryFailure) as error:
            acceptance.logs.panic(
                f"cannot make the Received: or Message-Id: field: {error}",
                message.message_id,
            )
            return Decision(False, Reply(451, (LOCAL_PROBLEM,)))
        decision = await self._judge()
        if not decision.accepted:
            return decision
        self._transaction.header_changes.apply(message.header)
        return await self._keep(decision)

    def _refusal(self) -> Decision | None:
        """Return the refusal of a header section that is too long or has looped."""
        options = self._acceptance.options
        limit = options.header_line_maxsize
        if self.is_header_too_long:
            return self._refuse(
                552,
                "Message header is ridiculously long",
                "ridiculously long message header received from {client} (more than "
                f"{options.header_maxsize} characters): message abandoned",
            )
        if limit > 0 and any(
            len(field.content) > limit for field in HeaderSection(self.header).fields
        ):
            return self._refuse(
                552,
                "A message header line is too long",
                "overlong message header line received from {client} (more than "
                f"{limit} characters): message abandoned",
            )
        # The field that we add counts as well.
        if self._received_count() + 1 > options.received_headers_max:
            text = 'Too many "Received" headers'
            log_text = f"rejected from <{{sender}}> {{client}}: {text}"
            return self._refuse(550, f"{text} - suspected mail loop", log_text)
        return None

    def _received_count(self) -> int:
        lower = self.header.lower()
        if lower.count(b"received") < self._acceptance.options.received_headers_max:
            return 0
        return len(HeaderSection(self.header).named("Received"))

    def _refuse(self, code: int, text: str, log_text: str) -> Decision:
        message, logs = self._message, self._acceptance.logs
        message.header = HeaderSection(self.header)
        client = host_and_ident(message.connection, logs)
        log_text = log_text.format(client=client, sender=message.sender.text)
        detail = rejected_content(message) if logs.selects("rejected_header") else ""
        logs.reject(log_text, message.message_id, detail)
        return Decision(False, reply(code, text))

    async def _complete(self) -> None:
        """Give the message its header section: cleaned, completed, traced, changed."""
        message, acceptance = self._message, self._acceptance
        transaction, now = self._transaction, acceptance.clock()
        section = message.header = HeaderSection(self.header)
        lower = b"\n" + self.header.lower()
        for name in acceptance.unwanted:
            if name in lower:
                section.remove(name[1:].decode("ascii"))
        context = transaction.context()
        controls = transaction.controls
        submission, originator = controls.submission, self._originator
        connection = transaction.connection
        if not connection.peer_address and originator is None:
            originator = Originator(connection.caller_login or connection.ident)
        if submission is not None or (
            originator is not None and not controls.suppress_local_fixups
        ):
            self._id_created = await acceptance.fix_ups.complete(
                message,
                context,
                submission=submission,
                originator=originator,
                now=now,
            )
        trace = await acceptance.received.make(message, context, now)
        message.header = HeaderSection(trace + section.content)
        if transaction.header_changes:
            transaction.header_changes.apply(message.header)

    async def _judge(self) -> Decision:
        protocol = self._transaction.connection.local_protocol
        if protocol and protocol != "smtp":
            return await self._acceptance.policy.not_smtp(self._transaction)
        return await self._acceptance.policy.data(self._transaction)

    async def _keep(self, decision: Decision) -> Decision:
        """Commit the message, log its arrival, and start its delivery."""
        message, acceptance = self._message, self._acceptance
        logs, controls = acceptance.logs, self._transaction.controls
        # The session may change what it knows while the message is delivered.
        message.connection = _as_it_is_now(message.connection)
        message.tls_optional = asks_for_no_tls(message)
        if controls.frozen:
            message.frozen = True
            message.frozen_at = acceptance.clock()
        if controls.queue_only or acceptance.queue_only:
            message.queue_only = True
        discarded = decision.discard or not message.recipients
        if not discarded:
            try:
                await acceptance.store.add(message)
            except SpoolError as error:
                return self._failed(error)
        arrival = arrival_line(
            message,
            logs,
            now=acceptance.clock(),
            id_created=self._id_created,
            faked=controls.fake_reply is not None and controls.fake_reply.code >= 500,
        )
        logs.main(arrival, message.message_id)
        if discarded:
            self._log_discarded(decision)
        else:
            if controls.frozen:
                logs.main("frozen by ACL", message.message_id)
            self._hand_over(message)
        answer = controls.fake_reply or decision.reply
        if answer is None:
            answer = Reply(250, (f"OK id={message.message_id}",))
        return Decision(True, answer, decision.close, discarded)

    def _log_discarded(self, decision: Decision) -> None:
        message, logs = self._message, self._acceptance.logs
        name = "DATA" if decision.discard else "RCPT"
        if self._transaction.is_discarded:
            name = "MAIL"
        reason = decision.log_text.partition("\n")[0]
        reason = f": {reason}" if reason else ""
        logs.main(
            f"=> blackhole ({name} ACL discarded recipients){reason}",
            message.message_id,
        )
        logs.main("Completed", message.message_id)

    def _hand_over(self, message: Message) -> None:
        try:
            self._acceptance.accepted(message)
        except Exception as error:
            # Here a delivery begins.  The message is safe and the client must know.
            self._acceptance.logs.panic(
                f"cannot start a delivery: {type(error).__name__}: {error}",
                message.message_id,
            )

    def _failed(self, error: SpoolError) -> Decision:
        self._acceptance.logs.panic(str(error), self._message.message_id)
        if _is_space_short(error):
            return Decision(False, NO_SPACE)
        return Decision(False, Reply(451, ("Error while writing spool file",)))


def _as_it_is_now(connection: Connection) -> Connection:
    now = Connection(*_attributes(connection))
    if connection.acl_variables:
        now.acl_variables = dict(connection.acl_variables)
    return now


_attributes: Callable[[Connection], tuple[Any, ...]] = attrgetter(
    *(field.name for field in fields(Connection))
)


def _is_space_short(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(error, sqlite3.Error):
            return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
        error = error.__cause__
    return False
