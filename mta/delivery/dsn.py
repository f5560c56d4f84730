"""Reports about deliveries, as messages (RFC 3462, 3464)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from mta.message import Message
from mta.recipient import Outcome, Result
from mta.transports.base import mail_date

DIAGNOSTIC_LIMIT = 900
EXPIRED = "5.4.7"
_ENHANCED_STATUS = re.compile(r"\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b")
_XTEXT = re.compile(rb"\+([0-9A-Fa-f]{2})")
_TEXT_FIELDS = (
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
)


class Action(Enum):
    """What a report says of a recipient (RFC 3464, section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


@dataclass(slots=True)
class Report:
    """A report to be written, about some recipients of a message.

    ``explanation`` are the sentences at its beginning, ``retry_until`` the time at
    which a delayed recipient is given up.
    """

    action: Action
    subject: str
    explanation: str
    outcomes: Sequence[Outcome]
    retry_until: float | None = None


class ReportWriter:
    """Writes the content of reports.

    ``reporting_host`` is this host's name.  Of a returned message at most
    ``size_limit`` octets of body are kept (0: all), and none of it where a line is
    longer than ``line_limit``.
    """

    def __init__(
        self, reporting_host: str, *, size_limit: int, line_limit: int
    ) -> None:
        self._reporting_host = reporting_host
        self._size_limit = size_limit
        self._line_limit = line_limit

    def content(
        self,
        report: Report,
        message: Message,
        *,
        now: float,
        text: str,
        with_message: bool,
        with_header: bool,
    ) -> tuple[list[bytes], Iterator[bytes]]:
        """Return the header fields that describe the content, and its octets.

        ``text`` is what a person reads.  The message is returned whole, as its
        header section, or not at all.
        """
        boundary = f"report-{secrets.token_hex(12)}"
        fields = [
            b"MIME-Version: 1.0\r\n",
            b"Content-Type: multipart/report; report-type=delivery-status;\r\n"
            b'\tboundary="%s"\r\n' % boundary.encode("ascii"),
        ]
        status = self._delivery_status(report, message, now)
        # RFC 6533, section 3: addresses beyond ASCII need the other type.
        kind = b"delivery-status" if status.isascii() else b"global-delivery-status"
        parts: list[tuple[bytes, Iterator[bytes]]] = [
            (_TEXT_FIELDS, iter([_crlf(text)])),
            (b"Content-Type: message/%s\r\n" % kind, iter([status])),
        ]
        if with_message and self.returns_body(message):
            parts.append((b"Content-Type: message/rfc822\r\n", self._returned(message)))
        elif with_message or with_header:
            header = message.header.content
            parts.append((b"Content-Type: text/rfc822-headers\r\n", iter([header])))
        return fields, _multipart(boundary.encode("ascii"), parts)

    def returns_body(self, message: Message) -> bool:
        """Return whether the body of a message may be part of a report."""
        return message.max_line_length <= self._line_limit

    def is_cut(self, message: Message) -> bool:
        """Return whether only a part of the body is returned."""
        return bool(self._size_limit) and message.body.size > self._size_limit

    def _returned(self, message: Message) -> Iterator[bytes]:
        yield message.header.content
        yield b"\r\n"
        remaining = self._size_limit or message.body.size
        for chunk in message.body.chunks():
            yield chunk[:remaining]
            remaining -= len(chunk)
            if remaining <= 0:
                break

    def _delivery_status(self, report: Report, message: Message, now: float) -> bytes:
        groups = [self._message_fields(message)]
        for outcome in report.outcomes:
            groups.append(_recipient_fields(report, outcome, now))
        return "\r\n".join(
            "".join(f"{line}\r\n" for line in group) for group in groups
        ).encode("utf-8", "replace")

    def _message_fields(self, message: Message) -> list[str]:
        lines = []
        if message.envelope_id:
            identifier = one_line(from_xtext(message.envelope_id))
            lines.append(f"Original-Envelope-Id: {identifier}")
        lines.append(f"Reporting-MTA: dns; {self._reporting_host}")
        lines.append(f"Arrival-Date: {mail_date(message.received_at)}")
        return lines


def _recipient_fields(report: Report, outcome: Outcome, now: float) -> list[str]:
    lines = []
    original = outcome.address.recipient.original
    if original:
        kind, separator, value = original.partition(";")
        if not separator:
            kind, value = "rfc822", original
        value = one_line(from_xtext(value))
        lines.append(f"Original-Recipient: {one_line(kind)};{value}")
    final = final_recipient(outcome)
    kind = "rfc822" if final.isascii() else "utf-8"
    lines.append(f"Final-Recipient: {kind};{one_line(final)}")
    lines.append(f"Action: {report.action.value}")
    lines.append(f"Status: {status_of(report.action, outcome)}")
    if outcome.host is not None:
        lines.append(f"Remote-MTA: dns; {one_line(outcome.host.name)}")
    if outcome.reply:
        diagnostic = one_line(outcome.reply)[:DIAGNOSTIC_LIMIT]
        lines.append(f"Diagnostic-Code: smtp; {diagnostic}")
    if report.action in (Action.FAILED, Action.DELAYED):
        lines.append(f"Last-Attempt-Date: {mail_date(now)}")
    if report.action is Action.DELAYED and report.retry_until is not None:
        lines.append(f"Will-Retry-Until: {mail_date(report.retry_until)}")
    return lines


def final_recipient(outcome: Outcome) -> str:
    """Return the address that a report may name for a delivery.

    What a redirection made is named unless the router hides it; commands and files
    never are.
    """
    address = outcome.address
    target = address.pipe_command or address.file_name or address.reply_text
    if address.hide_in_reports or target is not None:
        return address.recipient.address.text
    return address.address.text


def status_of(action: Action, outcome: Outcome) -> str:
    """Return the enhanced status code for a report, its class that of the action."""
    wanted = {Action.FAILED: "5", Action.DELAYED: "4"}.get(action, "2")
    status = outcome.status
    if match := _ENHANCED_STATUS.match(outcome.reply):
        status = match[1]
    if status[:1] == wanted:
        return status
    has_expired = status[:1] == "4" or outcome.result is Result.DEFERRED
    if action is Action.FAILED and has_expired:
        return EXPIRED
    return f"{wanted}.0.0"


def from_xtext(text: str) -> str:
    """Return what the xtext of an SMTP parameter stands for (RFC 3461, section 4)."""
    if "+" not in text:
        return text
    octets = _XTEXT.sub(
        lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "replace")
    )
    return octets.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Return the text without line ends and other control characters."""
    return "".join(
        character if character.isprintable() else " " for character in text
    ).strip()


def _crlf(text: str) -> bytes:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\r\n".join(lines).encode("utf-8", "replace")


def _multipart(
    boundary: bytes, parts: list[tuple[bytes, Iterator[bytes]]]
) -> Iterator[bytes]:
    for fields, content in parts:
        yield b"--" + boundary + b"\r\n" + fields + b"\r\n"
        yield from content
        yield b"\r\n"
    yield b"--" + boundary + b"--\r\n"
