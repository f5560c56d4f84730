"""One attempt at one message: route, group, deliver, record, report (Exim chapter 3)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from mta.delivery.batches import LATER, BatchDelivery
from mta.delivery.concurrency import run_all
from mta.delivery.grouping import Group, errors_path, group
from mta.delivery.outcomes import DeliveryLog, log_as_local, note_reason
from mta.delivery.progress import Delivered, Failed, Progress, Waiting
from mta.delivery.queue_options import QueueOptions
from mta.delivery.recipients import RecipientRouting
from mta.delivery.reports import IReportStore, Reports
from mta.delivery.retry import Prospect, Retry
from mta.errors import SpoolClosed, SpoolError
from mta.expand.context import Site
from mta.interfaces import ILogs
from mta.message import PARKED, Message
from mta.recipient import Outcome, Result, RoutedAddress
from mta.routers.base import Router
from mta.transports.base import Transport

SPOOL_PAUSE = 30.0


class IAttemptStore(IReportStore, Protocol):
    """What an attempt needs of the spool (``mta.spool.store``)."""

    async def journal(self, message: Message) -> None: ...

    async def remove(self, message_id: str) -> None: ...

    async def save(
        self,
        message: Message,
        *,
        next_try: float | None,
        release: bool = True,
        tried: bool = True,
    ) -> None: ...


@dataclass(slots=True)
class AttemptResult:
    """What follows from an attempt: reports to deliver, and the time of the next."""

    reports: list[Message] = field(default_factory=list)
    next_try: float | None = None


class Attempt:
    """Makes attempts at messages; there is one for all messages.

    The message must be claimed; when the attempt is over it is gone, or saved and
    released.  ``pause`` waits for some seconds; with it, what the spool could not
    take is given to it again, since to forget it would be to deliver twice.
    """

    def __init__(
        self,
        *,
        routers: Mapping[str, Router],
        transports: Mapping[str, Transport],
        store: IAttemptStore,
        retry: Retry,
        reports: Reports,
        site: Site,
        logs: ILogs,
        options: QueueOptions,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._transports = transports
        self._store = store
        self._reports = reports
        self._logs = logs
        self._log = DeliveryLog(logs, log_as_local(routers))
        self._options = options
        self._clock = clock
        self._pause = pause
        self._routing = RecipientRouting(
            routers=routers,
            transports=transports,
            retry=retry,
            site=site,
            logs=logs,
            options=options,
        )
        self._batches = BatchDelivery(retry=retry, site=site, logs=logs)

    async def deliver(
        self, message: Message, *, forced: bool = False, queue_running: bool = False
    ) -> AttemptResult:
        """Deliver to every recipient that is owed something.

        ``forced`` disregards retry times and held domains; in a queue run retry
        times count for addresses too.  Raises SpoolError where the result could not
        be written down.
        """
        progress = Progress(message, forced, queue_running)
        addresses = await self._routing.route_all(progress)
        groups = group(message, addresses, self._transports)
        if len(groups) == 1:
            await self._deliver(progress, groups[0], groups)
        elif groups:
            works = [partial(self._deliver, progress, one, groups) for one in groups]
            await run_all(works, self._options.remote_max_parallel)
        return await self._conclude(progress)

    async def give_up(self, message: Message, reason: str) -> AttemptResult:
        """Fail every recipient that is owed something, and report that."""
        progress = Progress(message, forced=True)
        for recipient in message.recipients:
            if not recipient.done:
                address = RoutedAddress(recipient.address, recipient)
                progress.owe(address)
                outcome = Outcome(address, Result.FAILED, reason, status="5.4.7")
                failed = Failed(outcome, errors_path(message, address))
                progress.failed.append(failed)
        return await self._conclude(progress, cancelled=True)

    async def _deliver(
        self, progress: Progress, one: Group, unfinished: list[Group]
    ) -> None:
        """Make one delivery; what it brought is durable before it is logged."""
        message = progress.message
        results = await self._batches.deliver(progress, one)
        if len(unfinished) > 1:
            unfinished.remove(one)
            is_last = False
        else:
            is_last = True
        for result in results:
            if isinstance(result, Delivered):
                progress.finish(result.outcome.address)
                progress.delivered.append(result)
                progress.unlogged.append(result)
            elif isinstance(result, Waiting):
                progress.waiting.append(result)
            else:
                progress.failed.append(result)
        more_to_write = progress.failed or progress.waiting or _wants_report(progress)
        if progress.unlogged and (not is_last or more_to_write):
            await self._insist(message, lambda: self._store.journal(message))
            self._log_deliveries(progress)

    async def _insist(
        self, message: Message, write: Callable[[], Awaitable[None]]
    ) -> None:
        """Write to the spool, again and again while it fails."""
        while True:
            try:
                return await write()
            except SpoolClosed:
                raise
            except SpoolError as error:
                self._logs.panic(f"spool: {error}", message.message_id)
                if self._pause is None:
                    raise
            await self._pause(SPOOL_PAUSE)

    def _log_deliveries(self, progress: Progress) -> None:
        unlogged, progress.unlogged = progress.unlogged, []
        now = self._clock()
        for one in unlogged:
            self._log.delivered(
                progress.message,
                one.outcome,
                one.return_path,
                first=one.first,
                now=now,
                size=one.size,
            )

    async def _conclude(
        self, progress: Progress, *, cancelled: bool = False
    ) -> AttemptResult:
        message = progress.message
        for waiting in [one for one in progress.waiting if one.prospect.timed_out]:
            progress.waiting.remove(waiting)
            path = errors_path(message, waiting.outcome.address)
            progress.failed.append(Failed(waiting.outcome, path, timed_out=True))
        reports, ignored = await self._report(progress, cancelled)
        next_try = None
        if progress.is_complete:
            await self._insist(message, lambda: self._store.remove(message.message_id))
        else:
            next_try = await self._save(progress, reports)
        self._log_all(progress, ignored)
        self._reports.log_arrivals(reports)
        if progress.is_complete:
            self._log.completed(message, self._clock())
        return AttemptResult(reports, next_try)

    async def _report(
        self, progress: Progress, cancelled: bool
    ) -> tuple[list[Message], list[Failed]]:
        """Send the reports that are due; failures that are told or ignored are done."""
        message = progress.message
        told = [one for one in progress.failed if one.return_path]
        nowhere = [one for one in progress.failed if not one.return_path]
        reports = []
        if told:
            try:
                reports += await self._reports.failures(message, told)
            except SpoolError as error:
                self._logs.panic(f"bounce not sent: {error}", message.message_id)
                self._postpone(progress, told)
                told = []
        if progress.delivered and _wants_report(progress):
            outcomes = [one.outcome for one in progress.delivered]
            reports += await self._reports.successes(message, outcomes)
        if nowhere and not cancelled and not self._is_ignored(message, nowhere):
            progress.freeze = "delivery error message"
            nowhere = []
        for one in [*told, *nowhere]:
            progress.finish(one.outcome.address)
        return reports, nowhere

    def _postpone(self, progress: Progress, told: list[Failed]) -> None:
        """Let failures that could not be reported fail again later."""
        later = Prospect(False, self._clock() + LATER)
        for one in told:
            progress.failed.remove(one)
            progress.waiting.append(Waiting(one.outcome, later))

    def _is_ignored(self, message: Message, nowhere: list[Failed]) -> bool:
        """Return whether failures that nobody is told of are no reason to freeze."""
        if message.sender or all(_wants_no_report(one) for one in nowhere):
            return True
        age = self._clock() - message.received_at
        return age >= self._options.ignore_bounce_errors_after

    async def _save(self, progress: Progress, reports: list[Message]) -> float | None:
        message = progress.message
        for waiting in progress.waiting:
            note_reason(waiting.outcome)
        if progress.freeze is not None:
            message.frozen = True
            message.frozen_at = self._clock()
        elif progress.waiting:
            due = self._reports.warnings_due(message)
            if due > message.warnings:
                outcomes = [one.outcome for one in progress.waiting]
                warning = await self._reports.delay(
                    message, outcomes, progress.retry_until
                )
                message.warnings = due
                reports += [warning] if warning is not None else []
        next_try = progress.next_try
        if message.frozen:
            next_try = self.thaw_time(message)
        due_at = next_try or PARKED
        await self._insist(message, lambda: self._store.save(message, next_try=due_at))
        return next_try

    def thaw_time(self, message: Message) -> float:
        """Return when something has to be done about a frozen message."""
        options = self._options
        times = [PARKED]
        if options.auto_thaw:
            times.append(message.frozen_at + options.auto_thaw)
        if options.timeout_frozen_after:
            times.append(message.received_at + options.timeout_frozen_after)
        if not message.sender:
            times.append(message.received_at + options.ignore_bounce_errors_after)
        # At least a minute on, so that nothing turns in circles.
        return max(min(times), self._clock() + 60)

    def _log_all(self, progress: Progress, ignored: list[Failed]) -> None:
        message = progress.message
        self._log_deliveries(progress)
        for address in progress.discarded:
            self._log.discarded(message, address)
        for address in progress.bypassed:
            self._log.bypassed(message, address)
        for waiting in progress.waiting:
            self._log.deferred(message, waiting.outcome)
        for failed in progress.failed:
            if failed.timed_out:
                self._log.deferred(message, failed.outcome)
                self._log.timed_out(message, failed.outcome.address)
            else:
                self._log.failed(message, failed.outcome, failed.return_path)
        for failed in ignored:
            self._log.ignored(message, failed.outcome.address)
        if message.frozen and progress.freeze is not None:
            reason = f" ({progress.freeze})" if progress.freeze else ""
            self._logs.main(f"Frozen{reason}", message.message_id)


def _wants_report(progress: Progress) -> bool:
    return any(
        "SUCCESS" in one.outcome.address.recipient.notify for one in progress.delivered
    )


def _wants_no_report(one: Failed) -> bool:
    notify = one.outcome.address.recipient.notify
    return bool(notify) and "FAILURE" not in notify
