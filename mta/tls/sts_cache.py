"""MTA-STS policies that are known, kept until they expire (RFC 8461, section 5.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mta.errors import SpoolError, TemporaryFailure
from mta.host import Answer, Outcome
from mta.interfaces import IHintStore
from mta.log import printable
from mta.tls.sts import (
    POLICY_INVALID,
    FetchFailure,
    InvalidPolicy,
    Policy,
    parse_policy,
    record_id,
)

POLICIES = "mta-sts"
FAILURES = "mta-sts-failure"
# How long an answer of the DNS is not asked for again, beyond what the resolver keeps.
CHECK_SECONDS = 60.0
UNANSWERED_SECONDS = 300.0
# A message waits no longer than that for a domain whose name servers are dead.  It is
# asked twice, so that one lost packet does not hide a policy.
QUESTION_SECONDS = 2.5
QUESTIONS = 2
# RFC 8461, section 3.3: no more than one attempt in five minutes for each id, and a
# fresh copy every day.
FAILURE_SECONDS = 300.0
FAILURE_LIMIT = 3600.0
REFRESH_SECONDS = 86400.0
# Domains that got no mail for so long are let go.
UNUSED_SECONDS = 30 * 86400.0
REFRESHES_AT_ONCE = 10
KNOWN_LIMIT = 10_000
REMEMBERED_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a domain's policy now.

    ``policy`` is the one in force, if there is any.  ``fault`` says why the one that
    the domain announces could not be had, ``result_type`` that in a word of RFC 8460.
    """

    domain: str
    policy: Policy | None = None
    fault: str = ""
    result_type: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A policy as it is kept; ``used`` is when it was last asked for, to the day."""

    policy: Policy
    id: str
    fetched: float
    used: float

    @property
    def expires(self) -> float:
        return self.fetched + self.policy.max_age

    def is_due(self, now: float) -> bool:
        """Return whether a fresh copy should be fetched."""
        return now >= self.fetched + min(REFRESH_SECONDS, self.policy.max_age / 2)


@dataclass(frozen=True, slots=True)
class _Failed:
    """The last attempts at a policy, ``times`` in a row, and when the next may be."""

    until: float
    times: int
    text: str
    result_type: str


class _TextRecords(Protocol):
    async def query(self, name: str, kind: str) -> Answer: ...


class PolicyCache:
    """Finds the policies of domains: remembered ones, else those that they announce.

    ``fetch`` gives a policy file or raises FetchFailure.  Policies are kept in hints,
    where there are any, so that they outlive the process; ``log`` is told what could
    not be fetched.  ``reactor`` is for the limit of the DNS.
    """

    def __init__(
        self,
        *,
        resolver: _TextRecords,
        reactor: IReactorTime,
        fetch: Callable[[str], Awaitable[bytes]],
        hints: IHintStore | None,
        clock: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._resolver = resolver
        self._reactor = reactor
        self._fetch = fetch
        self._hints = hints or _MemoryHints(clock)
        self._clock = clock
        self._log = log
        # By domain: what was found, and until when that is not looked at again.
        self._known: dict[str, tuple[float, Finding]] = {}
        self._asking: dict[str, list[Deferred[Finding]]] = {}
        self._refreshing: dict[str, Deferred[Any]] = {}

    async def find(self, domain: str) -> Finding:
        """Return what is known of the policy of a domain (``sts.is_domain``).

        Raises TemporaryFailure where what is kept cannot be read.
        """
        known = self._known.get(domain)
        if known is not None and self._clock() < known[0]:
            return known[1]
        waiting = self._asking.get(domain)
        if waiting is not None:
            shared: Deferred[Finding] = Deferred()
            waiting.append(shared)
            return await shared
        self._asking[domain] = []
        result: Finding | Exception = TemporaryFailure("the look-up was given up")
        try:
            result = finding = await self._look_up(domain)
            return finding
        except TemporaryFailure as error:
            result = error
            raise
        finally:
            for shared in self._asking.pop(domain):
                _settle(shared, result)

    async def _look_up(self, domain: str) -> Finding:
        answer = await self._records(domain)
        kept = self._kept(domain)
        now = self._clock()
        unanswered = answer.outcome is Outcome.AGAIN
        check = now + (UNANSWERED_SECONDS if unanswered else CHECK_SECONDS)
        current = record_id(answer.records) if answer else ""
        if not current or (kept is not None and kept.id == current):
            # Without a record that can be used, what is kept stays in force.
            finding = Finding(domain, kept.policy if kept else None)
            if kept is not None:
                check = min(check, kept.expires)
                self._keep(domain, kept, used=now)
                if kept.is_due(now):
                    # With or without a record: who suppresses that must not keep
                    # us from the policy until it expires (section 10.2).
                    self._begin_refresh(domain, kept)
        else:
            finding = await self._fetched(domain, current, kept, used=now)
        self._remember(domain, check, finding)
        return finding

    async def _records(self, domain: str) -> Answer:
        """Return the TXT records of a domain, or that they did not come in time."""
        for _ in range(QUESTIONS):
            asked = Deferred.fromCoroutine(
                self._resolver.query(f"_mta-sts.{domain}", "TXT")
            )
            asked.addTimeout(QUESTION_SECONDS, self._reactor, _too_late)
            answer = await asked
            if answer is not _TOO_LATE:
                break
        return answer

    def _remember(self, domain: str, check: float, finding: Finding) -> None:
        policy = finding.policy
        if policy is not None and sum(map(len, policy.lines)) > REMEMBERED_SIZE:
            # Few are so large; from hints they are read again each time.
            self._known.pop(domain, None)
            return
        if len(self._known) >= KNOWN_LIMIT:
            # The oldest tenth goes: a dictionary keeps the order of insertion.
            for old in list(self._known)[: KNOWN_LIMIT // 10]:
                del self._known[old]
        self._known.pop(domain, None)
        self._known[domain] = (check, finding)

    async def _fetched(
        self, domain: str, current: str, kept: _Kept | None, *, used: float
    ) -> Finding:
        """Fetch the policy with an id; where that fails, the kept one is in force."""
        failed = _failed_from(self._read(FAILURES, domain), current)
        if failed is not None and self._clock() < failed.until:
            in_force = kept.policy if kept else None
            return Finding(domain, in_force, failed.text, failed.result_type)
        try:
            octets = await self._fetch(domain)
            policy = parse_policy(octets)
        except (FetchFailure, InvalidPolicy) as error:
            times = failed.times if failed is not None else 0
            return self._failed(domain, current, kept, error, times)
        text = octets.decode("utf-8")
        value = {"id": current, "text": text, "fetched": self._clock(), "used": used}
        self._hints.put(POLICIES, domain, value, self._clock() + policy.max_age)
        return Finding(domain, policy)

    def _failed(
        self,
        domain: str,
        current: str,
        kept: _Kept | None,
        error: FetchFailure | InvalidPolicy,
        times: int,
    ) -> Finding:
        now = self._clock()
        word = POLICY_INVALID
        if isinstance(error, FetchFailure):
            word = error.result_type
        text = printable(str(error))
        until = _next_attempt(now, times, current, kept)
        value = {
            "id": current,
            "text": text,
            "type": word,
            "until": until,
            "times": min(times + 1, 10),
        }
        self._hints.put(FAILURES, domain, value, until + REFRESH_SECONDS)
        policy = kept.policy if kept else None
        if policy is None or policy.is_active:
            stays = "; the one that is known stays in force" if policy else ""
            self._log(f"MTA-STS policy of {domain} cannot be had: {text}{stays}")
        return Finding(domain, policy, text, word)

    def _kept(self, domain: str) -> _Kept | None:
        kept = _kept_from(self._read(POLICIES, domain))
        return kept if kept is not None and self._clock() < kept.expires else None

    def _read(self, kind: str, domain: str) -> Any:
        try:
            return self._hints.find(kind, domain)
        except SpoolError as error:
            # A policy that demands TLS may be there: nothing goes out unsecured.
            text = f"MTA-STS policies cannot be read: {error}"
            raise TemporaryFailure("local problem", log_text=text) from error

    def _keep(self, domain: str, kept: _Kept, *, used: float) -> None:
        """Note that a policy is in use, once a day."""
        if used - kept.used < REFRESH_SECONDS:
            return
        value = _value_of(replace(kept, used=used))
        self._hints.put(POLICIES, domain, value, kept.expires)

    def _begin_refresh(self, domain: str, kept: _Kept) -> None:
        """Fetch a fresh copy while the kept one is used."""
        if domain in self._refreshing or len(self._refreshing) >= REFRESHES_AT_ONCE:
            return
        refreshing = Deferred.fromCoroutine(
            self._fetched(domain, kept.id, kept, used=self._clock())
        )
        self._refreshing[domain] = refreshing
        refreshing.addBoth(partial(self._refreshed, domain))

    def _refreshed(self, domain: str, result: Any) -> None:
        del self._refreshing[domain]
        if not isinstance(result, Failure):
            if not result.fault:
                self._known.pop(domain, None)
        elif not isinstance(result.value, CancelledError):
            self._log(f"MTA-STS policy of {domain} not refreshed: {result.value}")

    async def refresh(self, limit: int) -> int:
        """Fetch fresh copies of policies that need them; return how many were asked for.

        Those that expire first come first, those not used for a month never.
        """
        now = self._clock()
        due = []
        for domain, value in self._hints.items(POLICIES):
            kept = _kept_from(value)
            if kept and kept.is_due(now) and now - kept.used < UNUSED_SECONDS:
                due.append((kept.expires, domain))
        asked = 0
        for _, domain in sorted(due):
            if asked == limit:
                break
            # Another process may have been here.
            present = self._kept(domain)
            if present is None or not present.is_due(self._clock()):
                continue
            if self._is_left_alone(domain, present.id):
                continue
            asked += 1
            answer = await self._records(domain)
            current = record_id(answer.records) if answer else ""
            wanted = current or present.id
            await self._fetched(domain, wanted, present, used=present.used)
            self._known.pop(domain, None)
        return asked

    def _is_left_alone(self, domain: str, current: str) -> bool:
        """Return whether the policy with an id was asked for in vain of late."""
        failed = _failed_from(self._read(FAILURES, domain), current)
        return failed is not None and self._clock() < failed.until

    def close(self) -> None:
        """End what is under way."""
        for refreshing in list(self._refreshing.values()):
            refreshing.cancel()


_TOO_LATE = Answer(Outcome.AGAIN, text="no answer in time")


def _too_late(_result: object, _limit: float) -> Answer:
    return _TOO_LATE


def _next_attempt(now: float, times: int, current: str, kept: _Kept | None) -> float:
    """Return when a policy may be asked for again that could not be had.

    A fresh copy of one that is kept can wait longer, but not until it is needed.
    """
    is_kept = kept is not None and kept.id == current
    longest = REFRESH_SECONDS if is_kept else FAILURE_LIMIT
    until = now + min(FAILURE_SECONDS * 2.0**times, longest)
    if kept is not None:
        until = min(until, kept.expires)
    return max(until, now + FAILURE_SECONDS)


def _value_of(kept: _Kept) -> dict[str, Any]:
    text = "\n".join(kept.policy.lines)
    return {"id": kept.id, "text": text, "fetched": kept.fetched, "used": kept.used}


def _kept_from(value: Any) -> _Kept | None:
    """Return a policy from hints; None where nothing that can be read is there."""
    try:
        policy = parse_policy(value["text"].encode("utf-8"))
        fetched, used = float(value["fetched"]), float(value["used"])
        return _Kept(policy, str(value["id"]), fetched, used)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _failed_from(value: Any, current: str) -> _Failed | None:
    """Return what hints tell of attempts at the policy with an id."""
    try:
        if value["id"] != current:
            return None
        until, times = float(value["until"]), int(value["times"])
        return _Failed(until, times, str(value["text"]), str(value["type"]))
    except (TypeError, KeyError, ValueError):
        return None


def _settle(waiting: Deferred[Finding], result: Finding | Exception) -> None:
    if isinstance(result, Finding):
        waiting.callback(result)
    else:
        waiting.errback(result)


class _MemoryHints:
    """Keeps policies for the life of the process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[tuple[str, str], tuple[float, Any]] = {}

    def find(self, kind: str, key: str) -> Any:
        found = self._values.get((kind, key))
        return found[1] if found is not None and self._clock() < found[0] else None

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        if len(self._values) >= KNOWN_LIMIT:
            del self._values[next(iter(self._values))]
        self._values[kind, key] = (expires, value)

    def items(self, kind: str) -> list[tuple[str, Any]]:
        now = self._clock()
        return [
            (key, value)
            for (one, key), (expires, value) in self._values.items()
            if one == kind and now < expires
        ]
