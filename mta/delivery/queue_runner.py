"""The service that picks due messages, within limits (Exim chapter 3)."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from mta.delivery.attempt import Attempt, AttemptResult
from mta.delivery.concurrency import run_all
from mta.delivery.queue_options import QueueOptions
from mta.delivery.queued_message import IQueueStore, QueuedMessages, RunRequest
from mta.errors import MTAError, SpoolClosed, SpoolError
from mta.expand.context import Context, Site
from mta.interfaces import ILogs
from mta.message import PARKED, Message

MEMORY_LIMIT = 1000
SWEEP_SECONDS = 60.0
RUN_LIMIT = 1_000_000
STOP_SECONDS = 20.0


class QueueRunner(Service):
    """Delivers messages when they arrive and when they are due again.

    ``interval`` is the time between queue runs (``-q30m``), None for none.  Retry
    times are kept without queue runs too, except with ``queue_only``.
    """

    name = "queue runner"

    def __init__(
        self,
        *,
        store: IQueueStore,
        attempt: Attempt,
        options: QueueOptions,
        site: Site,
        clock: IReactorTime,
        logs: ILogs,
        interval: float | None = None,
    ) -> None:
        self._store = store
        self._options = options
        self._site = site
        self._clock = clock
        self._logs = logs
        self._interval = interval
        self._now = site.clock
        self._messages = QueuedMessages(
            store=store, attempt=attempt, options=options, logs=logs, now=site.clock
        )
        self._limit = max(options.deliver_max_parallel, 1)
        self._arrived: deque[Message] = deque()
        self._timers: dict[str, Any] = {}
        self._active: set[Deferred[None]] = set()
        self._wake_at = PARKED
        self._is_sweeping = False
        self._has_more = False
        self._runs = 0
        self._is_stopping = False
        self._is_cut_short = False

    def startService(self) -> None:
        """Begin to deliver, with what was left when the last process ended."""
        self._is_stopping = self._is_cut_short = False
        super().startService()  # type: ignore[no-untyped-call]
        if not self._options.queue_only:
            self._schedule("sweep", 0, self._sweep)
        if self._interval:
            self._schedule("run", 0, self._run_periodically)

    def stopService(self) -> Deferred[None]:
        """Take up nothing more; ends when what is being delivered has ended.

        A delivery that takes too long is left to the end of the process.
        """
        self._is_stopping = True
        super().stopService()  # type: ignore[no-untyped-call]
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        return Deferred.fromCoroutine(self._wind_up())

    async def _wind_up(self) -> None:
        arrived, self._arrived = self._arrived, deque()
        for message in arrived:
            await self._guard(self._messages.put_off(message))
        idle = Deferred.fromCoroutine(self.when_idle())
        timer = self._clock.callLater(STOP_SECONDS, idle.cancel)
        try:
            await idle
        except CancelledError:
            self._is_cut_short = True
            self._logs.main(f"{len(self._active)} deliveries cut short")
        if timer.active():
            timer.cancel()

    async def when_idle(self) -> None:
        """Wait until nothing is being delivered, or that has taken too long."""
        while (self._active or self._arrived) and not self._is_cut_short:
            turn: Deferred[None] = Deferred()
            if self._active:
                next(iter(self._active)).addBoth(turn.callback)
                await turn
            else:
                self._take_arrived()

    def accepted(self, message: Message) -> None:
        """Take a message that has just been put into the queue by this process."""
        if message.queue_only and not message.frozen:
            # The store has not claimed it: a queue run will find it.
            return
        if message.frozen or self._options.queue_only:
            self._start(self._follow(self._messages.park(message)))
        elif self._is_stopping or len(self._arrived) >= MEMORY_LIMIT:
            self._start(self._follow(self._messages.put_off(message)))
        else:
            self._arrived.append(message)
            if "arrived" not in self._timers:
                self._schedule("arrived", 0, self._take_arrived)

    def _take_arrived(self) -> None:
        while self._arrived and len(self._active) < self._limit:
            message = self._arrived.popleft()
            self._start(self._follow(self._messages.deliver(message)))

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        """Keep a coroutine until it ends; its failure is logged."""
        running = Deferred.fromCoroutine(self._guard(work))
        if not running.called:
            self._active.add(running)
            running.addCallback(self._ended, running)

    def _ended(self, result: None, running: Deferred[None]) -> None:
        self._active.discard(running)
        if self._arrived:
            self._take_arrived()
        if self._has_more and self.running and "sweep" not in self._timers:
            self._schedule("sweep", 0, self._sweep)

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except SpoolClosed:
            # It was cut short; the next process begins anew.
            pass
        except SpoolError as error:
            self._logs.panic(f"spool: {error}")
        except Exception:
            self._logs.panic(f"queue runner: {traceback.format_exc(limit=-4)}")

    async def _follow(
        self, work: Coroutine[Any, Any, AttemptResult | None]
    ) -> AttemptResult | None:
        """Do what follows from an attempt: deliver its reports, wake up in time."""
        result = await work
        if result is not None:
            for report in result.reports:
                self.accepted(report)
            if result.next_try is not None:
                self._wake_by(result.next_try)
        return result

    def _schedule(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        """Have something done later, in place of what has the same name."""
        earlier = self._timers.pop(name, None)
        if earlier is not None and earlier.active():
            earlier.cancel()

        def run() -> None:
            self._timers.pop(name, None)
            work()

        self._timers[name] = self._clock.callLater(max(seconds, 0), run)

    def _wake_by(self, due: float) -> None:
        """See to it that what is due at a time is found then."""
        if self.running and due < self._wake_at and not self._options.queue_only:
            self._wake_at = due
            # Half a second more lets what is due together be found together.
            self._schedule("sweep", due - self._now() + 0.5, self._sweep)

    def _sweep(self) -> None:
        """Deliver what is due, what the dead left behind, and what is to be thawed."""
        self._wake_at = PARKED
        room = self._limit - len(self._active)
        if self._is_sweeping or room <= 0:
            self._has_more = True
        else:
            self._is_sweeping = True
            self._start(self._sweep_once(room))

    async def _sweep_once(self, room: int) -> None:
        self._has_more = False
        again_after = SWEEP_SECONDS
        try:
            now = self._now()
            found = await self._store.claim_due(now, room)
            found += await self._store.claim_due(
                now, room, frozen=True, timed_only=True
            )
            for message_id in found:
                self._start(
                    self._follow(self._messages.deliver_claimed(message_id, None))
                )
            if len(found) >= room:
                self._has_more = True
                again_after = 1.0
            else:
                earliest = await self._store.earliest_try()
                if earliest is not None:
                    again_after = max(earliest - self._now(), 0) + 0.5
        finally:
            self._is_sweeping = False
            self._wake_by(self._now() + min(again_after, SWEEP_SECONDS) - 0.5)

    def _run_periodically(self) -> None:
        assert self._interval
        self._schedule("run", self._interval, self._run_periodically)
        self._start(self._periodic_run())

    async def _periodic_run(self) -> None:
        try:
            limit = await self._options.queue_run_max.value(Context(self._site))
        except MTAError as error:
            self._logs.panic(f"queue_run_max: {error}")
            return
        if not limit or self._runs < limit:
            await self.run_once()

    async def run_once(self, request: RunRequest | None = None) -> int:
        """Make one queue run (``-q``); return how many messages were taken."""
        request = request or RunRequest()
        name = f"queue run: pid={os.getpid()}{request.flags and f' {request.flags}'}"
        self._runs += 1
        self._log_run(f"Start {name}")
        try:
            found = await self._store.claim_due(
                self._now(),
                RUN_LIMIT,
                force=True,
                first_only=request.first_only,
                match=request.match,
                frozen=request.thaw,
                after=request.after,
                until=request.until,
            )
            await self.deliver_now(found, request)
        finally:
            self._runs -= 1
            self._log_run(f"End {name}")
        return len(found)

    def _log_run(self, text: str) -> None:
        if self._logs.selects("queue_run"):
            self._logs.main(text)

    async def deliver_now(
        self, message_ids: Iterable[str], request: RunRequest
    ) -> list[str]:
        """Deliver messages by id (``-M``); return those that could not be claimed."""
        missed: list[str] = []

        async def work(message_id: str) -> None:
            delivery = self._messages.deliver_claimed(message_id, request)
            if await self._follow(delivery) is None:
                missed.append(message_id)

        works = [partial(work, message_id) for message_id in message_ids]
        if works:
            await run_all([partial(self._guard_one, one) for one in works], self._limit)
        return missed

    async def give_up(self, message_id: str) -> bool:
        """Return a message to its sender (``-Mg``); False where it is nobody's to give."""
        reason = "delivery cancelled by administrator"
        given_up = self._messages.give_up(message_id, reason)
        return await self._follow(given_up) is not None

    async def _guard_one(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await self._guard(work())
