"""When a proof is fetched again, and when a person must look at it."""

from __future__ import annotations

from enum import Enum

from mta.tls.ocsp import Verdict

FIRST_WAIT = 30.0
LONGEST_WAIT = 3600.0
# Without a proof clients are turned away, perhaps.
LONGEST_WAIT_WITHOUT = 600.0
SHORTEST_WAIT = 5.0
REVOKED_WAIT = 6 * 3600.0
MARGIN = 0.25
_FAILURES_WITHOUT = 3
# Many servers must not ask one responder at the same moment.
_JITTER = 0.1


class Alarm(Enum):
    """Why a person must look at a proof."""

    NONE = "none"
    MISSING = "there is no proof, and none can be fetched"
    LATE = "the proof ends soon, and no other can be fetched"
    ENDED = "the proof has ended"


def is_late(verdict: Verdict, now: float, margin: float) -> bool:
    """Return whether a good proof has at most a part of its life left.

    Its life ends with the certificate of who signed it, if that is earlier.
    """
    life = verdict.effective_end - verdict.this_update
    return now >= verdict.effective_end - margin * life


def half_life(verdict: Verdict, chance: float) -> float:
    """Return when half of a good proof's life is over, or a little before.

    ``chance``, between 0 and 1, says how little.
    """
    life = verdict.effective_end - verdict.this_update
    return verdict.this_update + life * (0.5 - _JITTER * chance)


def after_success(verdict: Verdict, now: float, chance: float) -> float:
    """Return when to ask for what comes after a proof that was just fetched."""
    moment = half_life(verdict, chance)
    if moment > now:
        return moment
    # The responder has its answers ready, and gave one that is old already.
    left = verdict.effective_end - now
    return now + max(SHORTEST_WAIT, left * (0.5 - _JITTER * chance))


def after_failure(failures: int, now: float, end: float, chance: float) -> float:
    """Return when to try again after so many failures in succession.

    The waits double, but are shorter near the end of the proof that is there, which
    is at ``end``, and stay short without one.
    """
    wait = FIRST_WAIT * 2.0 ** min(failures - 1, 20)
    if end > now:
        wait = min(wait, LONGEST_WAIT, max(SHORTEST_WAIT, (end - now) / 4))
    else:
        wait = min(wait, LONGEST_WAIT_WITHOUT)
    return now + wait * (1 - _JITTER * chance)


def alarm_for(verdict: Verdict | None, failures: int, now: float) -> Alarm:
    """Return what is wrong with a proof that was once good; None is none at all."""
    if verdict is None or not verdict.effective_end:
        return Alarm.MISSING if failures >= _FAILURES_WITHOUT else Alarm.NONE
    if now >= verdict.effective_end:
        return Alarm.ENDED
    if failures and is_late(verdict, now, MARGIN):
        return Alarm.LATE
    return Alarm.NONE
