"""The service that sends TLS reports once a day (RFC 8460)."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from mta.address import AddressError
from mta.delivery.tls_report import Reporter, TLSReport, make_report
from mta.delivery.tls_report_journal import ReportJournal
from mta.delivery.tls_report_options import TLSReportOptions, report_address
from mta.delivery.tls_report_pauses import ReportPauses
from mta.delivery.tls_report_post import PostFailure
from mta.delivery.tls_report_sending import ReportSending
from mta.delivery.tls_report_targets import RECORD_NAME, ReportTarget, report_targets
from mta.delivery.tls_results import DAY_SECONDS, TLSResults, day_of, read_results
from mta.dns.names import canonical_name, ip_address_of
from mta.errors import MTAError, SpoolError
from mta.expand.context import Context, Site
from mta.host import Outcome
from mta.interfaces import ILogs, IResolver
from mta.transports.host_lock import HostLock

T = TypeVar("T")
# RFC 8460, section 4.1 asks senders not to report all at midnight.
FIRST_SECONDS = 600
SPREAD_SECONDS = 7200
LOOK_SECONDS = 900
START_SECONDS = 60
AT_ONCE = 5


class TLSReports(Service):
    """Sends the reports of yesterday, and tries again until today ends.

    One process at a time sends: the one that holds a lock in ``locks``, a directory.
    ``in_thread`` runs a function in a thread, for what reads the results.
    """

    name = "TLS reports"

    def __init__(
        self,
        *,
        results: TLSResults,
        sending: ReportSending,
        resolver: IResolver,
        options: TLSReportOptions,
        site: Site,
        logs: ILogs,
        clock: IReactorTime,
        locks: str,
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        self._results = results
        self._journal = ReportJournal(results.path)
        self._sending = sending
        self._resolver = resolver
        self._options = options
        self._site = site
        self._logs = logs
        self._clock = clock
        self._locks = locks
        self._in_thread = in_thread
        self._pauses = ReportPauses(0)
        self._timer: Any = None
        self._looking: Deferred[None] | None = None
        # So long after midnight this host begins.
        digest = sha256(site.primary_hostname.encode("utf-8", "replace")).digest()
        self.offset = FIRST_SECONDS + int.from_bytes(digest[:4], "big") % SPREAD_SECONDS

    def startService(self) -> None:
        """Begin to look whether reports are due."""
        super().startService()  # type: ignore[no-untyped-call]
        self._timer = self._clock.callLater(START_SECONDS, self._look)

    def stopService(self) -> Deferred[None] | None:
        """Send no more; what is being posted is given up, and posted another time."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        looking = self._looking
        if looking is not None:
            looking.cancel()
        return looking

    def _look(self) -> None:
        self._timer = self._clock.callLater(LOOK_SECONDS, self._look)
        if self._looking is None:
            looking = Deferred.fromCoroutine(self._guarded())
            if not looking.called:
                self._looking = looking
                looking.addBoth(self._ended)

    def _ended(self, _result: object) -> None:
        self._looking = None

    async def _guarded(self) -> None:
        try:
            await self.send_due()
        except CancelledError:
            pass
        except MTAError as error:
            self._logs.panic(f"TLS reports: {error}")
        except Exception:
            self._logs.panic(f"TLS reports: {traceback.format_exc(limit=-4)}")

    async def send_due(self) -> None:
        """Send what is due; raises MTAError where nothing can be sent."""
        now = self._site.clock()
        day = day_of(now) - 1
        if now < (day + 1) * DAY_SECONDS + self.offset:
            return
        try:
            lock = HostLock.take(self._locks, "tls-reports")
        except OSError as error:
            text = f"failed to lock tls-reports: {error.strerror}"
            raise SpoolError(text) from error
        if lock is None:
            # Another process is at it.
            return
        try:
            await self._send_day(day)
        finally:
            lock.release()

    async def _send_day(self, day: int) -> None:
        """Send the reports of one day that have not been sent."""
        if await self._in_thread(self._journal.is_finished, day):
            return
        if self._pauses.day != day:
            self._pauses = ReportPauses(day)
        reporter = await self._reporter()
        await self._in_thread(self._results.flush)
        sent = await self._in_thread(self._journal.sent, day)
        now = self._site.clock()
        by_name: dict[str, list[str]] = {}
        for domain in await self._in_thread(self._journal.domains, day):
            name = canonical_name(domain)
            if _may_have_record(name) and self._pauses.is_due(name, now):
                by_name.setdefault(name, []).append(domain)
        run = _Run(day, reporter, sent, by_name)
        lanes = [
            Deferred.fromCoroutine(self._send_some(run))
            for _ in range(min(AT_ONCE, len(by_name)))
        ]
        try:
            for lane in lanes:
                await lane
        finally:
            for lane in lanes:
                # None is left when the service stops.
                lane.addErrback(lambda _failure: None)
                lane.cancel()
        if not self._pauses.has_more:
            await self._in_thread(self._journal.finish, day)

    async def _reporter(self) -> Reporter:
        site = self._site
        text = await self._options.tls_rpt_from.expand(Context(site))
        try:
            contact = report_address(text)
        except AddressError as error:
            raise MTAError(f"tls_rpt_from: {error}") from error
        return Reporter(site.qualify_domain, site.primary_hostname, contact)

    async def _send_some(self, run: _Run) -> None:
        """Take one domain after the other; what goes wrong with one is told."""
        while run.domains:
            name, domains = run.domains.popitem()
            is_done = False
            try:
                is_done = await self._send_domain(run, name, domains)
            except CancelledError:
                raise
            except Exception:
                trace = traceback.format_exc(limit=-4)
                self._logs.panic(f"TLS report for {name}: {trace}")
            if is_done:
                self._pauses.end(name)
            else:
                self._pauses.again(name, self._site.clock())

    async def _send_domain(self, run: _Run, name: str, domains: list[str]) -> bool:
        """Return whether nothing more is to be done for a domain."""
        answer = await self._resolver.query(f"{RECORD_NAME}.{name}", "TXT")
        if answer.outcome is Outcome.AGAIN:
            return False
        targets = [
            target
            for target in report_targets(answer.records)
            if (name, str(target)) not in run.sent
        ]
        if not targets:
            return True
        report = await self._in_thread(self._report, run, name, domains)
        if report is None:
            return True
        sent = [await self._send_one(run, report, target) for target in targets]
        return all(sent)

    def _report(self, run: _Run, name: str, domains: list[str]) -> TLSReport | None:
        results = [
            result
            for domain in domains
            for result in read_results(self._results.path, run.day, run.day, domain)
        ]
        return make_report(name, run.day, results, run.reporter)

    async def _send_one(
        self, run: _Run, report: TLSReport, target: ReportTarget
    ) -> bool:
        """Return whether nothing more is to be done for a target."""
        try:
            await self._sending.send(report, run.reporter, target)
        except (PostFailure, SpoolError) as error:
            self._logs.main(
                f"TLS report for {report.domain} to {target} is not sent: {error}"
            )
            return False
        # After an end of the process just here it is sent once more, and is known
        # by its identifier.
        await self._in_thread(self._journal.note, run.day, report.domain, str(target))
        return True


class _Run:
    """One look at the reports of a day.

    ``sent`` are the domains and targets that are done with, ``domains`` those to look
    at, by their name in the DNS.
    """

    def __init__(
        self,
        day: int,
        reporter: Reporter,
        sent: set[tuple[str, str]],
        domains: dict[str, list[str]],
    ) -> None:
        self.day = day
        self.reporter = reporter
        self.sent = sent
        self.domains = domains


def _may_have_record(name: str) -> bool:
    """Return whether a name can be asked for, and stand in the fields of a message."""
    return (
        name.isascii()
        and "." in name
        and all(character.isalnum() or character in "-._" for character in name)
        and ip_address_of(name) is None
    )
