"""Bring a TLS report to one of its targets: into our own queue, or to a web server."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable

from mta.address import parse_address
from mta.connection import Connection
from mta.delivery.reports import IReportStore
from mta.delivery.tls_report import Reporter, TLSReport
from mta.delivery.tls_report_mail import report_body, report_header
from mta.delivery.tls_report_targets import ReportTarget
from mta.expand.context import Site
from mta.interfaces import ILogs
from mta.message import HeaderSection, Message, Recipient
from mta.transports.base import mail_date


class ReportSending:
    """Sends reports.

    ``accepted`` takes a message that is in the queue (the queue runner's method);
    ``post`` gives octets to a URL and raises PostFailure.
    """

    def __init__(
        self,
        *,
        store: IReportStore,
        accepted: Callable[[Message], None],
        post: Callable[[str, bytes], Awaitable[None]],
        site: Site,
        logs: ILogs,
    ) -> None:
        self._store = store
        self._accepted = accepted
        self._post = post
        self._site = site
        self._logs = logs

    async def send(
        self, report: TLSReport, reporter: Reporter, target: ReportTarget
    ) -> None:
        """Send a report; raises PostFailure, SpoolError or AddressError.

        What goes by mail is safe in the queue when this returns.
        """
        if target.scheme == "https":
            await self._post(target.place, report.compressed())
            self._logs.main(f"TLS report for {report.domain} posted to {target}")
            return
        message = await self._put_into_queue(report, reporter, target.place)
        self._log_arrival(report, message)
        self._accepted(message)

    async def _put_into_queue(
        self, report: TLSReport, reporter: Reporter, recipient: str
    ) -> Message:
        now = self._site.clock()
        uid = os.getuid()
        login = _login_name(uid)
        message = Message(
            message_id=self._store.next_id(),
            sender=parse_address(reporter.contact),
            recipients=[Recipient(parse_address(recipient), notify=("NEVER",))],
            connection=Connection(
                local_protocol="local",
                started_at=now,
                caller_uid=uid,
                caller_gid=os.getgid(),
                caller_login=login,
                ident=login,
            ),
            received_at=now,
            # RFC 8460, section 3: reports come through however broken TLS is.
            tls_optional=True,
        )
        received = (
            f"Received: from {login} by {self._site.primary_hostname} with local\r\n"
            f"\t(mta {self._site.version})\r\n"
            f"\tid {message.message_id};\r\n"
            f"\t{mail_date(now)}\r\n"
        )
        message.header = HeaderSection(
            received.encode("utf-8", "surrogateescape")
            + report_header(report, reporter, recipient, now)
        )
        writer = self._store.new_body()
        writer.write(report_body(report, reporter))
        message.body = await writer.finish()
        await self._store.add(message)
        return message

    def _log_arrival(self, report: TLSReport, message: Message) -> None:
        connection = message.connection
        parts = [
            f"<= {message.sender} U={connection.caller_login}",
            f"P={connection.protocol} S={message.size} id={report.report_id}",
        ]
        if self._logs.selects("subject"):
            parts.append(f'T="Report Domain: {report.domain}"')
        if self._logs.selects("received_sender"):
            parts.append(f"from <{message.sender}>")
        if self._logs.selects("received_recipients"):
            parts.append(f"for {message.recipients[0].address}")
        self._logs.main(" ".join(parts), message.message_id)


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
