"""Who is told of a delivery, and in which words (Exim chapter 49, RFC 3461)."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mta.address import NULL_PATH, Address
from mta.connection import Connection
from mta.delivery.bounce_options import BounceOptions
from mta.delivery.dsn import Action, Report, ReportWriter, final_recipient, one_line
from mta.delivery.progress import Failed
from mta.errors import ExpansionError
from mta.expand.context import Context, Site
from mta.interfaces import ILogs
from mta.message import HeaderSection, Message, Recipient
from mta.options import format_interval
from mta.recipient import Outcome
from mta.transports.base import mail_date


class IReportStore(Protocol):
    """What reports need of the spool (``mta.spool.store``)."""

    def next_id(self) -> str: ...

    def new_body(self) -> Any: ...

    async def add(self, message: Message) -> None: ...


class Reports:
    """Sends bounces, delay warnings and success reports."""

    def __init__(
        self,
        *,
        store: IReportStore,
        site: Site,
        logs: ILogs,
        options: BounceOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._site = site
        self._logs = logs
        self._options = options
        self._clock = clock
        self._writer = ReportWriter(
            site.primary_hostname,
            size_limit=options.bounce_return_size_limit,
            line_limit=options.bounce_return_linesize_limit,
        )

    async def failures(
        self, message: Message, failed: Sequence[Failed]
    ) -> list[Message]:
        """Put bounces into the queue, one for each address that gets reports.

        Addresses whose reports go nowhere must have been sorted out before.
        """
        by_path: dict[Address, list[Outcome]] = {}
        for one in failed:
            recipient = one.outcome.address.recipient
            if not recipient.notify or "FAILURE" in recipient.notify:
                by_path.setdefault(one.return_path, []).append(one.outcome)
        bounces = []
        for path, outcomes in by_path.items():
            who = "sender" if path == message.sender else "errors address"
            report = Report(
                Action.FAILED,
                f"Mail delivery failed: returning message to {who}",
                "The message below could not be delivered to the recipients that "
                "follow.\nThe failure is final: no further attempt will be made.",
                outcomes,
            )
            bounces.append(await self._send(report, message, path))
        return bounces

    async def delay(
        self, message: Message, waiting: Sequence[Outcome], retry_until: float | None
    ) -> Message | None:
        """Put a warning into the queue, if one is due and somebody wants it."""
        outcomes = [
            outcome
            for outcome in waiting
            if not outcome.address.recipient.notify
            or "DELAY" in outcome.address.recipient.notify
        ]
        if not outcomes or not await self._is_warning_wanted(message):
            return None
        age = format_interval(int(self._clock() - message.received_at) // 60 * 60)
        report = Report(
            Action.DELAYED,
            f"Warning: message {message.message_id} delayed {age}",
            f"The message below has been waiting here for {age}.  It has not yet been\n"
            "delivered to the recipients that follow.  Delivery will be tried again;\n"
            "nothing needs to be done for that.",
            outcomes,
            retry_until,
        )
        return await self._send(report, message, message.sender)

    def warnings_due(self, message: Message) -> int:
        """Return how many warning times the message has passed in the queue."""
        times = self._options.delay_warning
        if not times or not message.sender:
            return 0
        return _times_passed(times, self._clock() - message.received_at)

    async def _is_warning_wanted(self, message: Message) -> bool:
        context = Context(self._site, message.connection, message)
        try:
            text = await self._options.delay_warning_condition.expand(context)
        except ExpansionError as error:
            self._logs.panic(f"delay_warning_condition: {error}", message.message_id)
            return True
        return text.strip().lower() not in ("", "0", "no", "false")

    async def successes(
        self, message: Message, delivered: Iterable[Outcome]
    ) -> list[Message]:
        """Put success reports into the queue for recipients that asked for them.

        A next host that takes over the duty to report (RFC 3461) leaves none to us.
        """
        wanted: dict[Action, dict[str, Outcome]] = {}
        for outcome in delivered:
            recipient = outcome.address.recipient
            if "SUCCESS" in recipient.notify and not outcome.dsn_passed:
                action = Action.DELIVERED if outcome.local else Action.RELAYED
                found = wanted.setdefault(action, {})
                found.setdefault(recipient.address.key, outcome)
        reports = []
        for action, outcomes in wanted.items():
            how = (
                "has been delivered to the recipients that follow."
                if action is Action.DELIVERED
                else "has been passed on for the recipients that follow, to a system\n"
                "that does not report deliveries.  No further report will come."
            )
            report = Report(
                action,
                "Delivery Status Notification",
                f"As was asked for, this reports that the message below {how}",
                list(outcomes.values()),
            )
            reports.append(await self._send(report, message, message.sender))
        return reports

    async def _send(self, report: Report, message: Message, path: Address) -> Message:
        now = self._clock()
        sent = Message(
            message_id=self._store.next_id(),
            sender=NULL_PATH,
            recipients=[Recipient(path)],
            connection=_local_connection(now),
            received_at=now,
            body_type="8BITMIME",
            smtputf8=message.smtputf8,
            # RFC 8689, sections 5 and 6: it tells of the message, if not all.
            requiretls=message.requiretls,
            tls_optional=message.tls_optional,
            original_message_id=message.message_id,
            bounce_recipient=", ".join(_failed_addresses(report)),
        )
        fields, chunks = self._writer.content(
            report,
            message,
            now=now,
            text=self._text(report, message),
            with_message=self._returns_message(report, message),
            with_header=self._options.bounce_return_message,
        )
        header = await self._header(report, sent, message, path)
        sent.header = HeaderSection(b"".join([header, *fields]))
        writer = self._store.new_body()
        for chunk in chunks:
            writer.write(chunk)
            if writer.is_behind:
                await writer.when_ready()
        sent.body = await writer.finish()
        await self._store.add(sent)
        return sent

    def _returns_message(self, report: Report, message: Message) -> bool:
        """Return whether the whole message is wanted back (RFC 3461, section 4.3).

        Not where TLS is required of it, whatever is wanted (RFC 8689, section 5).
        """
        options = self._options
        if not options.bounce_return_message or not options.bounce_return_body:
            return False
        if message.requiretls:
            return False
        if message.dsn_return:
            return message.dsn_return == "FULL" and report.action is Action.FAILED
        return report.action is Action.FAILED

    async def _header(
        self, report: Report, sent: Message, message: Message, path: Address
    ) -> bytes:
        site = self._site
        date = mail_date(sent.received_at)
        login = sent.connection.caller_login
        lines = [
            f"Received: from {login} by {site.primary_hostname} with local",
            f"\t(mta {site.version})",
            f"\tid {sent.message_id};",
            f"\t{date}",
        ]
        if report.action is Action.FAILED:
            failed = ",\r\n  ".join(_failed_addresses(report))
            lines.append(f"X-Failed-Recipients: {failed}")
        lines.append("Auto-Submitted: auto-replied")
        if sent.tls_optional:
            lines.append("TLS-Required: No")
        lines.append(f"From: {await self._author(message)}")
        if self._options.errors_reply_to:
            lines.append(f"Reply-To: {one_line(self._options.errors_reply_to)}")
        lines.append(f"To: {one_line(path.text)}")
        identifier = _message_identifier(message)
        if identifier:
            lines.append(f"References: {identifier}")
        lines.append(f"Subject: {report.subject}")
        lines.append(f"Message-Id: <E{sent.message_id}@{site.primary_hostname}>")
        lines.append(f"Date: {date}")
        return "".join(f"{line}\r\n" for line in lines).encode(
            "utf-8", "surrogateescape"
        )

    async def _author(self, message: Message) -> str:
        context = Context(self._site, message.connection, message)
        try:
            return one_line(await self._options.dsn_from.expand(context))
        except ExpansionError as error:
            self._logs.panic(f"dsn_from: {error}", message.message_id)
            domain = self._site.qualify_domain
            return f"Mail Delivery System <Mailer-Daemon@{domain}>"

    def _text(self, report: Report, message: Message) -> str:
        parts = [f"This is the mail system at {self._site.primary_hostname}.\n"]
        if report.action is Action.FAILED and self._options.bounce_message_text:
            parts.append(self._options.bounce_message_text + "\n")
        parts.append(report.explanation + "\n")
        parts += [_paragraph(outcome) for outcome in report.outcomes]
        if report.action in (Action.FAILED, Action.DELAYED):
            parts.append(self._about_content(report, message))
        output = [o for o in report.outcomes if o.output]
        for outcome in output:
            text = outcome.output.decode("utf-8", "replace")
            shown = final_recipient(outcome)
            parts.append(f"Output of the command for {shown}:\n\n{text}\n")
        return "\n".join(parts)

    def _about_content(self, report: Report, message: Message) -> str:
        if not self._options.bounce_return_message:
            return ""
        if not self._returns_message(report, message):
            return "The header section of the message is attached.\n"
        if not self._writer.returns_body(message):
            return (
                "The header section of the message is attached; a line of its body is "
                "too\nlong for it to be returned.\n"
            )
        if self._writer.is_cut(message):
            limit = self._options.bounce_return_size_limit
            return (
                "The message is attached, cut off after "
                f"{limit} octets of its body ({message.body.size} in all).\n"
            )
        return "The message is attached.\n"

    def log_arrivals(self, reports: Iterable[Message]) -> None:
        """Write the ``<=`` lines of reports that are in the queue."""
        for sent in reports:
            parts = [f"<= <> R={sent.original_message_id}"]
            login = sent.connection.caller_login
            parts.append(f"U={login} P={sent.connection.protocol} S={sent.size}")
            if self._logs.selects("subject"):
                subject = sent.header.named("Subject")[0].value
                parts.append(f'T="{subject.decode("utf-8", "replace")}"')
            if self._logs.selects("received_sender"):
                parts.append("from <>")
            if self._logs.selects("received_recipients"):
                parts.append(f"for {sent.recipients[0].address}")
            self._logs.main(" ".join(parts), sent.message_id)


@dataclass(frozen=True, slots=True)
class _Login:
    uid: int
    name: str


def _own_login() -> _Login:
    uid = os.getuid()
    try:
        return _Login(uid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return _Login(uid, str(uid))


def _local_connection(now: float) -> Connection:
    login = _own_login()
    return Connection(
        local_protocol="local",
        started_at=now,
        caller_uid=login.uid,
        caller_gid=os.getgid(),
        caller_login=login.name,
        ident=login.name,
    )


def _failed_addresses(report: Report) -> list[str]:
    return list(
        dict.fromkeys(one_line(final_recipient(outcome)) for outcome in report.outcomes)
    )


def _message_identifier(message: Message) -> str:
    for field in message.header.named("Message-ID")[:1]:
        value = one_line(field.value.decode("utf-8", "replace"))
        if value.isascii() and len(value) < 900:
            return value
    return ""


def _paragraph(outcome: Outcome) -> str:
    shown = one_line(final_recipient(outcome))
    lines = [f"  {shown}"]
    top = outcome.address.recipient.address.text
    if shown != top:
        lines.append(f"    (generated from {one_line(top)})")
    if outcome.host is not None:
        lines.append(f"    host {outcome.host}")
    for line in (outcome.report_text or outcome.text).split("\n"):
        if line.strip():
            lines.append(f"    {one_line(line)}")
    return "\n".join(lines) + "\n"


def _times_passed(times: Sequence[int], age: float) -> int:
    """Return how many of the times an age has passed.

    The list goes on with the distance of its last two times (Exim chapter 14).
    """
    passed = sum(age >= time_in_queue for time_in_queue in times)
    if passed == len(times):
        step = times[-1] - times[-2] if len(times) > 1 else times[-1]
        passed += int((age - times[-1]) // max(step, 60))
    return passed
