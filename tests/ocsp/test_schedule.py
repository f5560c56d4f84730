"""When a proof is fetched again, as a clock shows it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.schedule import (
    FIRST_WAIT,
    LONGEST_WAIT,
    LONGEST_WAIT_WITHOUT,
    SHORTEST_WAIT,
    Alarm,
    after_failure,
    after_success,
    alarm_for,
    half_life,
    is_late,
)
from mta.tls.ocsp import Finding, Verdict

LIFE = 100_000.0


def proof(begin: float = 0.0, end: float = LIFE, signer_end: float = 1e9) -> Verdict:
    """Return a good proof with these times."""
    return Verdict(
        Finding.GOOD,
        this_update=begin,
        next_update=end,
        signer_end=signer_end,
        effective_end=min(end, signer_end),
    )


class SuccessTests(SynchronousTestCase):
    """After a proof has come."""

    def test_half(self) -> None:
        """The next one is asked for at half of its life, or a tenth of that earlier."""
        self.assertEqual(50_000, after_success(proof(), 10.0, 0.0))
        self.assertEqual(40_000, after_success(proof(), 10.0, 1.0))

    def test_signer_ends(self) -> None:
        """The life ends with the signer's certificate, if that is first."""
        self.assertEqual(10_000, half_life(proof(signer_end=20_000), 0.0))

    def test_old(self) -> None:
        """A proof that was old when it came is replaced at half of what is left."""
        self.assertEqual(90_000, after_success(proof(), 80_000, 0.0))
        self.assertEqual(88_000, after_success(proof(), 80_000, 1.0))

    def test_short(self) -> None:
        """No responder is asked without pause, however short its proofs are."""
        moment = after_success(proof(), LIFE - 1, 1.0)
        self.assertEqual(LIFE - 1 + SHORTEST_WAIT, moment)


class FailureTests(SynchronousTestCase):
    """After attempts that failed."""

    def test_doubling(self) -> None:
        """Without a proof the waits double, up to an hour."""
        waits = [after_failure(count, 0.0, 1e9, 0.0) for count in range(1, 12)]
        self.assertEqual([FIRST_WAIT * 2**n for n in range(7)], waits[:7])
        self.assertEqual([LONGEST_WAIT] * 4, waits[7:])
        self.assertEqual(LONGEST_WAIT, after_failure(10**6, 0.0, 1e9, 0.0))

    def test_without(self) -> None:
        """Where there is no proof, or none any more, one does not wait for long."""
        for end in (0.0, 1000.0):
            waits = [after_failure(n, 1000.0, end, 0.0) - 1000 for n in (1, 3, 9, 99)]
            self.assertEqual(
                [FIRST_WAIT, 4 * FIRST_WAIT] + 2 * [LONGEST_WAIT_WITHOUT], waits
            )

    def test_jitter(self) -> None:
        """Hosts do not all come at the same moment."""
        self.assertEqual(0.9 * FIRST_WAIT, after_failure(1, 0.0, 0.0, 1.0))

    def test_near_end(self) -> None:
        """Before the proof ends there are several attempts more."""
        now, attempts = 0.0, 0
        for attempts in range(1, 100):
            now = after_failure(attempts, now, 4000.0, 0.0)
            if now >= 4000.0:
                break
        self.assertGreater(attempts, 15)
        self.assertEqual(
            4000.0 - 1 + SHORTEST_WAIT, after_failure(20, 3999.0, 4000.0, 0)
        )


class AlarmTests(SynchronousTestCase):
    """What a person must look at."""

    def test_well(self) -> None:
        """A proof that lasts is no reason, whatever failed."""
        self.assertIs(Alarm.NONE, alarm_for(proof(), 5, 70_000))

    def test_late(self) -> None:
        """With a quarter of its life left there is an alarm if fetching failed."""
        self.assertIs(Alarm.LATE, alarm_for(proof(), 1, 75_000))
        self.assertIs(Alarm.NONE, alarm_for(proof(), 0, 75_000))
        self.assertFalse(is_late(proof(), 74_999, 0.25))

    def test_ended(self) -> None:
        """When it has ended there is one in any case."""
        self.assertIs(Alarm.ENDED, alarm_for(proof(), 0, LIFE))

    def test_missing(self) -> None:
        """Where none ever came there is one after some attempts."""
        for verdict in (None, Verdict(Finding.UNREADABLE)):
            self.assertIs(Alarm.NONE, alarm_for(verdict, 2, 0.0))
            self.assertIs(Alarm.MISSING, alarm_for(verdict, 3, 0.0))
