"""What is done with one message of the queue: claim, thaw or cancel, deliver."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from mta.delivery.attempt import Attempt, AttemptResult
from mta.delivery.queue_options import QueueOptions
from mta.errors import SpoolError
from mta.interfaces import ILogs
from mta.message import PARKED, Message

LATER = 900.0


class IQueueStore(Protocol):
    """What the queue runner needs of the spool (``mta.spool.store``)."""

    async def claim(self, message_id: str) -> Message | None: ...

    async def claim_due(
        self,
        now: float,
        limit: int,
        *,
        force: bool = False,
        first_only: bool = False,
        match: Callable[[Any], bool] | None = None,
        frozen: bool = False,
        timed_only: bool = False,
        after: str = "",
        until: str = "",
    ) -> list[str]: ...

    async def save(
        self,
        message: Message,
        *,
        next_try: float | None,
        release: bool = True,
        tried: bool = True,
    ) -> None: ...

    async def release(self, message_ids: Iterable[str]) -> None: ...

    async def earliest_try(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One queue run: which messages, and how hard to try (``-q``, ``-qf`` ...).

    ``forced`` disregards retry times, ``thaw`` takes frozen messages too,
    ``first_only`` none that was tried before.  ``match`` chooses among the entries
    of a listing, ``after`` and ``until`` bound the ids.  ``flags`` are for the log.
    """

    flags: str = ""
    forced: bool = False
    thaw: bool = False
    first_only: bool = False
    match: Callable[[Any], bool] | None = None
    after: str = ""
    until: str = ""


class QueuedMessages:
    """Delivers messages of the queue that are claimed one at a time."""

    def __init__(
        self,
        *,
        store: IQueueStore,
        attempt: Attempt,
        options: QueueOptions,
        logs: ILogs,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._attempt = attempt
        self._options = options
        self._logs = logs
        self._now = now

    async def deliver_claimed(
        self, message_id: str, request: RunRequest | None
    ) -> AttemptResult | None:
        """Claim and deliver a message; None where it is gone or somebody's.

        Without a request its time has come; with one, a queue run or a command has
        chosen it.
        """
        message = await self._store.claim(message_id)
        if message is None:
            if request is not None and self._logs.selects("skip_delivery"):
                self._logs.main(
                    "Spool file is locked (another process is handling this message)",
                    message_id,
                )
            return None
        if message.frozen:
            result = await self._treat_frozen(message, request)
            if result is not None:
                return result
        if message.queue_only:
            if request is None:
                return await self.park(message)
            message.queue_only = False
        forced = request is not None and request.forced
        return await self.deliver(message, forced=forced, queue_running=True)

    async def deliver(
        self, message: Message, *, forced: bool = False, queue_running: bool = False
    ) -> AttemptResult:
        """Deliver a claimed message; a defect of ours makes it wait."""
        try:
            return await self._attempt.deliver(
                message, forced=forced, queue_running=queue_running
            )
        except SpoolError:
            raise
        except Exception:
            self._logs.panic(
                f"delivery failed: {traceback.format_exc(limit=-4)}",
                message.message_id,
            )
            due = self._now() + LATER
            await self._store.save(message, next_try=due)
            return AttemptResult(next_try=due)

    async def park(self, message: Message) -> AttemptResult:
        """Leave a message for a queue run, or a frozen one until it is thawed."""
        due = self._attempt.thaw_time(message) if message.frozen else PARKED
        await self._store.save(message, next_try=due, tried=False)
        return AttemptResult(next_try=due)

    async def give_up(self, message_id: str, reason: str) -> AttemptResult | None:
        """Return a message to its sender; None where it cannot be claimed."""
        message = await self._store.claim(message_id)
        if message is None:
            return None
        message.frozen = False
        return await self._attempt.give_up(message, reason)

    async def put_off(self, message: Message) -> AttemptResult:
        """Give a message back to the queue as due at once."""
        now = self._now()
        await self._store.save(message, next_try=now, tried=False)
        return AttemptResult(next_try=now)

    async def _treat_frozen(
        self, message: Message, request: RunRequest | None
    ) -> AttemptResult | None:
        """Thaw the message, or return what becomes of it instead of a delivery."""
        options, now = self._options, self._now()
        age = now - message.received_at
        if request is not None and request.thaw:
            reason = "forced delivery"
        elif options.timeout_frozen_after and age >= options.timeout_frozen_after:
            self._logs.main("cancelled by timeout_frozen_after", message.message_id)
            return await self._attempt.give_up(
                message, "cancelled by timeout_frozen_after"
            )
        elif options.auto_thaw and now - message.frozen_at >= options.auto_thaw:
            reason = "auto-thaw"
        elif not message.sender and age >= options.ignore_bounce_errors_after:
            reason = "errmsg timer"
        else:
            if request is not None and self._logs.selects("skip_delivery"):
                self._logs.main("Message is frozen", message.message_id)
            return await self.park(message)
        message.frozen = False
        self._logs.main(f"Unfrozen by {reason}", message.message_id)
        return None
