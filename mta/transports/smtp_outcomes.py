"""What a transaction means for each of its addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from errno import ETIMEDOUT
from typing import TYPE_CHECKING

from mta.connection import TLSFacts
from mta.interfaces import ILogs
from mta.recipient import Outcome, Result, RoutedAddress
from mta.smtp.client_transaction import ClientTransaction
from mta.smtp.reply import Reply
from mta.tls.verdict import TLSVerdict
from mta.transports.smtp_connections import Link
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_problems import Problem, Scope, refusal, session_problem

if TYPE_CHECKING:
    from mta.smtp.client_failure import SessionFailure


def verdicts(
    transaction: ClientTransaction,
    settings: HostSettings,
    failure: SessionFailure | None,
) -> Iterator[Problem | Reply]:
    """Give, for each recipient in order, the reply that took the message for it, or
    the problem that stood in the way."""
    pipelined = transaction.uses_pipelining
    mail = transaction.mail
    if mail is not None and mail.code >= 300:
        command = transaction.mail_text
        problem = refusal(mail, "MAIL", command, pipelined=pipelined)
        yield from [problem] * len(transaction.recipients)
        return
    ended = None
    if failure is not None:
        ended = session_problem(failure, settings.host, pipelined=pipelined)
    final = iter(transaction.final)
    shared = None if settings.is_lmtp else next(final, None)
    unanswered = 0
    for place, reply in enumerate(transaction.recipients):
        if reply is None:
            assert ended is not None
            unanswered += 1
            in_rcpt = failure is not None and failure.verb == "RCPT"
            yield _unanswered(ended, unanswered) if in_rcpt else ended
        elif reply.code >= 300:
            address = transaction.envelope.recipients[place].address
            yield refusal(reply, "RCPT", f"RCPT TO:<{address}>")
        else:
            end = next(final, None) if settings.is_lmtp else shared
            yield _end_verdict(transaction, end, ended, pipelined)


def _unanswered(problem: Problem, number: int) -> Problem:
    """Return what the end of a session in RCPT means for those not answered.

    A time limit concerns the first of them; the others were hardly asked.
    """
    if problem.number != ETIMEDOUT:
        return problem
    return replace(problem, scope=Scope.RECIPIENT if number == 1 else Scope.MESSAGE)


def _end_verdict(
    transaction: ClientTransaction,
    end: Reply | None,
    ended: Problem | None,
    pipelined: bool,
) -> Problem | Reply:
    """Return what became of the content for an accepted recipient."""
    if end is not None:
        if end.code < 300:
            return end
        return refusal(end, ".", "end of data")
    start = transaction.content_start
    if start is not None and not 300 <= start.code < 400:
        return refusal(start, "DATA", "DATA", pipelined=pipelined)
    if transaction.refused_chunk is not None:
        return refusal(transaction.refused_chunk, "BDAT", "BDAT")
    if ended is not None:
        return ended
    return Problem(Scope.MESSAGE, "no reply to the end of data", -1, "", "4.5.0")


class OutcomeMaker:
    """Makes the outcomes of one delivery, log fields in Exim's order."""

    def __init__(self, logs: ILogs | None, message_id: str) -> None:
        self._logs = logs
        self._message_id = message_id

    def delivered(
        self,
        address: RoutedAddress,
        reply: Reply,
        link: Link,
        settings: HostSettings,
        fields: Sequence[str],
    ) -> Outcome:
        """Return the outcome for a recipient whose message the host took."""
        said = str(reply)
        log_fields = list(fields)
        if self._selects("smtp_confirmation"):
            escaped = said.replace("\\", "\\\\").replace('"', '\\"')
            log_fields.append(f'C="{escaped}"')
        return Outcome(
            address,
            Result.DELIVERED,
            text=said,
            status=reply.enhanced_status or "2.0.0",
            host=settings.host,
            reply=said,
            log_fields=log_fields,
            reused_connection=link.messages > 1,
            dsn_passed="DSN" in link.client.session.capabilities.keywords,
        )

    def undelivered(
        self,
        address: RoutedAddress,
        problem: Problem,
        settings: HostSettings | None,
        fields: Sequence[str] = (),
    ) -> Outcome:
        """Return the outcome for an address that a problem concerns."""
        permanent = problem.scope is Scope.PERMANENT
        key = ""
        if settings is not None and problem.scope is Scope.HOST:
            key = settings.retry_key
        elif settings is not None and problem.scope in (Scope.MESSAGE, Scope.DEMAND):
            key = settings.message_key(self._message_id)
        return Outcome(
            address,
            Result.FAILED if permanent else Result.DEFERRED,
            text=problem.text,
            status=problem.status,
            error=problem.number,
            error_name=problem.name,
            host=None if settings is None else settings.host,
            reply=problem.reply,
            log_fields=list(fields),
            retry_key=key,
            report_text=problem.report_text,
        )

    def fields(self, link: Link, transaction: ClientTransaction) -> list[str]:
        """Return the parts of a log line that a transaction's addresses share."""
        fields = []
        if self._selects("incoming_interface") and self._selects("outgoing_interface"):
            fields.append(f"I=[{link.local_address}]:{link.local_port}")
        tls = link.tls
        if tls is not None:
            if self._selects("tls_cipher"):
                fields.append(f"X={tls.log_cipher}")
            if self._selects("tls_certificate_verified"):
                fields.append(f"CV={_verified_by(tls)}")
            if self._selects("tls_peerdn") and tls.peer_dn:
                escaped = tls.peer_dn.replace("\\", "\\\\").replace('"', '\\"')
                fields.append(f'DN="{escaped}"')
            if tls.staple and self._selects("tls_ocsp"):
                fields.append(f"OCSP={tls.staple}")
        fields += self.verdict_fields(link.verdict)
        if transaction.uses_pipelining and self._selects("pipelining"):
            fields.append("L")
        if transaction.uses_chunks:
            fields.append("K")
        return fields

    def verdict_fields(self, verdict: TLSVerdict) -> list[str]:
        """Return what a log line says of everything that TLS had to prove."""
        if self._selects("tls_verdict") and verdict.text:
            return [verdict.log_field]
        return []

    def _selects(self, selector: str) -> bool:
        return self._logs is not None and self._logs.selects(selector)


def _verified_by(tls: TLSFacts) -> str:
    if not tls.verified:
        return "no"
    return "dane" if tls.dane else "yes"
