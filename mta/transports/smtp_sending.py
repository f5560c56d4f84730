"""Bring the addresses of a batch to one host, on as many connections as it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.errors import MTAError
from mta.recipient import RoutedAddress
from mta.smtp.client_transaction import (
    ClientTransaction,
    Envelope,
    EnvelopeRecipient,
)
from mta.transports.base import Prepared
from mta.transports.host_lock import HostLock
from mta.transports.smtp_connections import (
    PARALLEL_LIMIT,
    Connections,
    Link,
    NoConnectionFree,
)
from mta.transports.smtp_dane import failure_line
from mta.transports.smtp_link import HostProblem, HostSettings, Opener, is_tls_failure
from mta.transports.smtp_problems import UTF8_FORWARD, Problem, Scope
from mta.transports.smtp_progress import Progress
from mta.transports.smtp_requiretls import Secrecy
from mta.transports.smtp_sts import under_policy

if TYPE_CHECKING:
    from mta.smtp.client_failure import SessionFailure, TimeLimits

# How often one host is connected to anew for one batch: after a kept connection
# that was dead, and after TLS that failed.
ATTEMPTS_LIMIT = 4
UNLIMITED = 1 << 30


class HostBusy(Exception):
    """The host takes one connection at a time, and another process has it."""


@dataclass(slots=True, kw_only=True)
class Sending:
    """One message, ready to go, and the ways of its transport.

    ``prepare`` gives the content for the host that was connected to.  ``messages`` is how many a connection may carry, ``recipients`` how many a
    transaction; 0 for any number.  ``lock`` gives the lock of a host that takes a
    single connection, None where it is held.  ``secrecy`` is what the message itself
    asks of TLS, ``published`` adds what the receiving side demands; it raises
    HostProblem where a host may get nothing.
    """

    prepare: Callable[[], Awaitable[Prepared]]
    envelope: Envelope
    recipient_text: Callable[[RoutedAddress], str]
    connections: Connections
    opener: Opener
    lock: Callable[[HostSettings], HostLock | None]
    time: TimeLimits
    secrecy: Secrecy
    published: Callable[[HostSettings], Awaitable[HostSettings]]
    messages: int = 500
    recipients: int = 100
    multi_domain: bool = True
    size_addition: int = 1024

    async def bring(self, progress: Progress, settings: HostSettings) -> bool:
        """Bring what is pending to a host; raise HostBusy.

        Returns whether the host is one for such a message at all.
        """
        try:
            settings = await self.published(settings)
        except HostProblem as failure:
            problem = self.secrecy.problem(failure, settings)
            progress.host_failed(settings, problem, failure.verdict)
            return False
        lacking = len(self.secrecy.lacking)
        demanded = self.secrecy.demanded(settings)
        if isinstance(demanded, Problem):
            progress.host_failed(settings, demanded)
        else:
            await self._bring(progress, demanded)
        return len(self.secrecy.lacking) == lacking

    async def _bring(self, progress: Progress, settings: HostSettings) -> None:
        fresh = False
        failed: HostProblem | None = None
        for _ in range(ATTEMPTS_LIMIT + len(progress.pending)):
            try:
                link = await self._connection(settings, fresh=fresh)
            except HostProblem as found:
                failure = under_policy(found, settings)
                problem = self.secrecy.problem(failure, settings)
                line = failure_line(found.problem, settings)
                if line:
                    progress.log(line)
                if not (is_tls_failure(problem) and settings.may_go_clear):
                    progress.host_failed(settings, problem, failure.verdict)
                    return
                counted = progress.notes.failed(
                    settings.host, progress.pending, failure.verdict
                )
                failed = failure
                progress.log(
                    f"{problem.text}: delivering unencrypted to H={settings.host} "
                    "(not in hosts_require_tls)"
                )
                settings = settings.in_clear()
                continue
            for remark in link.remarks:
                progress.log(remark)
            link.remarks.clear()
            if failed is not None and link.tls is None:
                link.verdict, failed = failed.verdict, None
                link.counted_for |= counted
            if not await self._use(link, progress, settings):
                return
            fresh = True

    async def _connection(self, settings: HostSettings, *, fresh: bool) -> Link:
        async def connect() -> Link:
            lock = None
            if settings.serialize:
                lock = self.lock(settings)
                if lock is None:
                    raise HostBusy
            try:
                link = await self.opener.open(settings, self.time)
            except BaseException:
                if lock is not None:
                    lock.release()
                raise
            link.lock = lock
            return link

        try:
            return await self.connections.take(
                settings.connection_key,
                connect,
                limit=1 if settings.serialize else PARALLEL_LIMIT,
                fresh=fresh,
            )
        except NoConnectionFree as error:
            text = "connection limit reached for the host"
            problem = Problem(Scope.MESSAGE, text, -1, "", "4.4.5")
            raise HostProblem(problem) from error

    async def _use(
        self, link: Link, progress: Progress, settings: HostSettings
    ) -> bool:
        """Send what is pending; return whether another connection is needed."""
        link.verdict = settings.stamped(link.verdict)
        problem = self.secrecy.shortcoming(link, settings)
        self.envelope.requiretls = self.secrecy.passes_on(link)
        if problem is not None:
            self.connections.give_back(link)
            progress.host_failed(settings, problem, link.verdict)
            return False
        if link.tls is None and settings.is_secrecy_hoped_for:
            progress.log(
                f"TLS could not be begun: delivering unencrypted to H={settings.host} "
                "(not in hosts_require_tls)"
            )
        progress.batch.context.tls_out = link.tls
        progress.notes.begun(settings.host, progress.pending, link)
        try:
            prepared = await self.prepare()
        except MTAError:
            self.connections.give_back(link)
            raise
        try:
            is_done, is_good = await self._send(link, progress, settings, prepared)
        except BaseException:
            link.client.abort()
            self.connections.drop(link)
            raise
        if is_good:
            self.connections.give_back(link)
        else:
            self.connections.drop(link)
        return not is_done

    async def _send(
        self, link: Link, progress: Progress, settings: HostSettings, prepared: Prepared
    ) -> tuple[bool, bool]:
        """Return whether all was sent, and whether the connection may be kept."""
        from mta.smtp.client_failure import SessionFailure  # noqa: PLC0415

        offered = link.client.session.capabilities
        if self.envelope.smtputf8 and "SMTPUTF8" not in offered.keywords:
            progress.refuse(_utf8_problem(settings), settings)
            return True, True
        if self.size_addition >= 0:
            self.envelope.size = prepared.size + self.size_addition
        limit = min(self.messages or UNLIMITED, offered.mail_limit or UNLIMITED)
        for addresses in self._groups(link, progress.pending):
            if link.messages >= limit:
                return False, False
            transaction = self._transaction(link, settings, addresses)
            failure: SessionFailure | None = None
            may_be_dead, link.is_reused = link.is_reused, False
            try:
                await link.client.deliver(transaction, prepared)
            except SessionFailure as error:
                failure = error
            if may_be_dead and _was_dead(transaction, failure):
                return False, False
            link.messages += 1
            progress.take_replies(addresses, transaction, link, settings, failure)
            if failure is not None:
                return True, False
        return True, link.messages < limit

    def _groups(
        self, link: Link, pending: Sequence[RoutedAddress]
    ) -> Iterator[list[RoutedAddress]]:
        """Give the addresses in groups that one transaction may carry."""
        offered = link.client.session.capabilities
        count = min(self.recipients or UNLIMITED, offered.recipient_limit or UNLIMITED)
        domains = min(
            UNLIMITED if self.multi_domain else 1, offered.domain_limit or UNLIMITED
        )
        waiting = list(pending)
        while waiting:
            chosen: list[RoutedAddress] = []
            seen: set[str] = set()
            rest: list[RoutedAddress] = []
            for address in waiting:
                fits = address.domain in seen or len(seen) < domains
                if fits and len(chosen) < count:
                    chosen.append(address)
                    seen.add(address.domain)
                else:
                    rest.append(address)
            yield chosen
            waiting = rest

    def _transaction(
        self, link: Link, settings: HostSettings, addresses: Sequence[RoutedAddress]
    ) -> ClientTransaction:
        recipients = [
            EnvelopeRecipient(
                self.recipient_text(address),
                address.recipient.notify,
                address.recipient.original,
            )
            for address in addresses
        ]
        self.envelope.recipients = recipients
        return ClientTransaction(
            link.client.session,
            self.envelope,
            pipelining=settings.pipelining,
            chunking=settings.chunking,
        )


def _was_dead(transaction: ClientTransaction, failure: SessionFailure | None) -> bool:
    """Return whether a kept connection had ended before this message came to it.

    Only then may the message be sent again at once: nothing of it was taken.
    """
    if transaction.mail is not None:
        return transaction.mail.code == 421
    if failure is None or transaction.end_is_sent:
        return False
    return failure.trouble.name in ("LOST", "MALFORMED")


def _utf8_problem(settings: HostSettings) -> Problem:
    text = f"SMTPUTF8 is needed, but {settings.host} does not offer it"
    return Problem(Scope.PERMANENT, text, UTF8_FORWARD, "", "5.6.7")
