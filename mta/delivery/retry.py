"""Retry hints: when a host or an address is due (Exim chapter 32)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mta.delivery.retry_rules import RetryRule
from mta.expand.context import Context
from mta.lists.matching import ListKind, match_list
from mta.message import Message
from mta.options import Configurable, Interval, Option, Source

HINT_KIND = "retry"
INTERVAL_LIMIT = 86400
ABSENT_SECONDS = 10.0
ABSENT_LIMIT = 10_000


class RetryOptions(Configurable):
    """Main options about retrying."""

    retry_data_expire = Option(
        Interval, "7d", "How long a retry time is remembered that nobody asks for."
    )
    retry_interval_max = Option(
        Interval, "24h", "Longest time between two tries, at most 24h."
    )


class IHints(Protocol):
    """What expires, by kind and key (``mta.hints``)."""

    def get(self, kind: str, key: str) -> Any: ...

    def put(self, kind: str, key: str, value: Any, expires: float) -> None: ...

    def delete(self, kind: str, key: str) -> None: ...


@dataclass(slots=True)
class RetryEntry:
    """What is remembered of a key that failed; times in seconds since the epoch.

    ``cutoff`` is how long, from the first failure, its rule lets it fail.
    """

    first: float
    last: float
    next_try: float
    expired: bool = False
    cutoff: float = 0.0
    text: str = ""


@dataclass(slots=True)
class _Failure:
    key: str
    domain: str
    host: str
    error_name: str
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whether an address is given up, and else when it is tried again.

    ``until`` is the time at which it will be given up, where that is known.
    """

    timed_out: bool
    next_try: float = 0.0
    until: float | None = None


class Retry:
    """The retry rules of a configuration over the hints that processes share."""

    def __init__(
        self,
        *,
        hints: IHints,
        rules: Sequence[RetryRule],
        options: RetryOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hints = hints
        self._rules = rules
        self._expire = options.retry_data_expire
        self._interval_max = min(options.retry_interval_max, INTERVAL_LIMIT)
        self._clock = clock
        # Keys that are known to be absent, and until when that is believed: what
        # works is forgotten at every delivery, and mostly there is nothing.
        self._absent: dict[str, float] = {}

    def now(self) -> float:
        """The time by which everything here is measured."""
        return self._clock()

    def entry(self, key: str) -> RetryEntry | None:
        """Return what is remembered of a key, unless it is too old to count."""
        value = self._hints.get(HINT_KIND, key)
        if value is None:
            return None
        entry = RetryEntry(*value)
        if self._clock() - entry.last > self._expire:
            return None
        return entry

    def forget(self, key: str) -> None:
        """Forget a key, since it works."""
        now = self._clock()
        if self._absent.get(key, 0.0) > now:
            return
        if self._hints.get(HINT_KIND, key) is not None:
            self._hints.delete(HINT_KIND, key)
        if len(self._absent) >= ABSENT_LIMIT:
            self._absent.clear()
        self._absent[key] = now + ABSENT_SECONDS

    async def rule_for(
        self,
        failure_names: Sequence[str],
        error_name: str,
        sender: str,
        context: Context,
    ) -> RetryRule | None:
        """Return the first rule that matches one of the names, tried in turn.

        A name is an address, or ``*@domain`` for a host or a domain.
        """
        for rule in self._rules:
            if not rule.covers(error_name):
                continue
            for name in failure_names:
                if await _matches(rule.pattern, name, context):
                    break
            else:
                continue
            if rule.senders is None or await _in_list(rule.senders, sender, context):
                return rule
        return None

    async def record(
        self, failure: _Failure, message: Message, context: Context
    ) -> Prospect:
        """Remember a failure; say when the key is due, or that it is given up."""
        now = self._clock()
        rule = await self.rule_for(
            _names(failure), failure.error_name, failure.sender, context
        )
        if rule is None or not rule.steps:
            return Prospect(timed_out=True)
        age = now - message.received_at
        before = self.entry(failure.key)
        first = before.first if before else now
        if _concerns_message(failure, message):
            first = min(first, message.received_at)
        expired = now - first > rule.cutoff
        if not expired and age > rule.cutoff:
            # Exim chapter 32, "deliveries that work intermittently": no new time, so
            # that other messages are tried at once.
            return Prospect(timed_out=True)
        gap = rule.step_for(now - first).gap(_last_gap(before, now))
        entry = RetryEntry(
            first,
            now,
            now + min(gap, self._interval_max),
            expired,
            rule.cutoff,
            failure.text[:500],
        )
        self._put(failure.key, entry)
        return Prospect(expired, entry.next_try, first + rule.cutoff)

    def _put(self, key: str, entry: RetryEntry) -> None:
        self._absent.pop(key, None)
        value = [
            entry.first,
            entry.last,
            entry.next_try,
            entry.expired,
            entry.cutoff,
            entry.text,
        ]
        self._hints.put(
            HINT_KIND, key, value, max(entry.last + self._expire, entry.next_try)
        )

    def for_batch(
        self, message: Message, context: Context, *, forced: bool = False
    ) -> BatchHints:
        """Return the hints as one delivery of a message asks for them."""
        return BatchHints(self, message, context, forced)


class BatchHints:
    """Retry hints for one delivery (``mta.interfaces.IRetryHints``).

    Failures are gathered, since finding a rule may have to wait; ``settle`` records
    them.
    """

    __slots__ = (
        "_context",
        "_failures",
        "_forced",
        "_message",
        "_prospects",
        "_retry",
        "_skipped",
    )

    def __init__(
        self, retry: Retry, message: Message, context: Context, forced: bool
    ) -> None:
        self._retry = retry
        self._message = message
        self._context = context
        self._forced = forced
        self._failures: list[_Failure] = []
        self._skipped: dict[str, float] = {}
        self._prospects: dict[str, Prospect] = {}

    def is_due(self, key: str) -> bool:
        """Return whether the next try of a key may be made now."""
        entry = self._retry.entry(key)
        if entry is None or self._forced:
            return True
        now = self._retry.now()
        if now >= entry.next_try:
            return True
        if not entry.expired and now - self._message.received_at > entry.cutoff > 0:
            return True
        self._skipped[key] = entry.next_try
        return False

    def has_expired(self, key: str) -> bool:
        """Return whether a key failed for longer than its rule allows."""
        entry = self._retry.entry(key)
        return entry is not None and entry.expired

    def failed(
        self,
        key: str,
        *,
        domain: str,
        host: str,
        error_name: str,
        sender: str,
        text: str,
    ) -> None:
        """Note a failure for ``settle``."""
        self._failures.append(_Failure(key, domain, host, error_name, sender, text))

    def succeeded(self, key: str) -> None:
        """Forget a key."""
        self._retry.forget(key)

    async def settle(self) -> None:
        """Record the failures noted since the last call."""
        failures, self._failures = self._failures, []
        for failure in failures:
            self._prospects[failure.key] = await self._retry.record(
                failure, self._message, self._context
            )

    def has_recorded(self, key: str) -> bool:
        """Return whether a failure of a key was recorded by this delivery."""
        return key in self._prospects

    def prospect(self, key: str) -> Prospect:
        """Return what the recorded failure of one key means for an address."""
        return self._prospects[key]

    def prospect_of_hosts(self) -> Prospect | None:
        """Return what all hosts together mean for the addresses of the delivery.

        The addresses are given up when every host that failed has failed for too
        long and none was passed over.  None where no host was asked about.
        """
        failed = [
            prospect
            for key, prospect in self._prospects.items()
            if not is_address_key(key)
        ]
        waiting = [
            next_try
            for key, next_try in self._skipped.items()
            if key not in self._prospects
        ]
        if not failed and not waiting:
            return None
        times = [p.next_try for p in failed if not p.timed_out] + waiting
        ends = [p.until for p in failed if p.until is not None]
        return Prospect(not times, min(times, default=0.0), max(ends, default=None))


def is_address_key(key: str) -> bool:
    """Return whether a key is a mail address's rather than a host's or domain's."""
    return "@" in key


def _names(failure: _Failure) -> list[str]:
    names = []
    if failure.host:
        names.append(f"*@{failure.host.lower()}")
    if is_address_key(failure.key):
        names.append(failure.key[2:].split(":")[0])
    elif failure.domain:
        names.append(f"*@{failure.domain}")
    return names


def _concerns_message(failure: _Failure, message: Message) -> bool:
    """Return whether the message, not the host, is what fails."""
    return failure.error_name.startswith("quota") or (
        bool(message.message_id) and failure.key.endswith(":" + message.message_id)
    )


def _last_gap(before: RetryEntry | None, now: float) -> float:
    """Return the gap before this try: the planned or the real one, if shorter."""
    if before is None:
        return 0.0
    return min(before.next_try - before.last, now - before.last)


async def _matches(pattern: str, name: str, context: Context) -> bool:
    if pattern == "*":
        return True
    return await _in_list(pattern.replace(":", "::"), name, context)


async def _in_list(text: str, name: str, context: Context) -> bool:
    if "$" in text and context.site.language is not None:
        template = context.site.language.template(text, Source())
        text = await template.expand(context)
    return await match_list(ListKind.ADDRESS, text, name, context) is not None
