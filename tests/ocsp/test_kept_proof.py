"""One proof, kept and renewed in time."""

from __future__ import annotations

import os

from mta.ocsp.exchange import ExchangeError
from mta.ocsp.kept_proof import KeptProof, Report, standing_path
from mta.ocsp.schedule import FIRST_WAIT, REVOKED_WAIT
from mta.ocsp.standing import Standing
from mta.tls.staples import StapleFile
from tests.ocsp.keeping import (
    CA,
    LIFE,
    MX,
    NAME,
    REFUSED,
    TIME,
    URL,
    KeptProofCase,
)
from tests.tls.proofs import HOUR, NOW, REVOKED


class RenewalTests(KeptProofCase):
    """Fetching in time."""

    def test_first(self) -> None:
        """Where there is no proof one is fetched at once, kept, and told."""
        response = CA.respond(MX.certificate)
        kept = self.keep(response)
        self.assertTrue(kept.wants_work(self.now))

        reports = kept.work()

        text = f"OCSP proof for {NAME}: good until 2030-01-02 12:00:00 UTC"
        self.assertEqual([Report(text)], reports)
        self.assertEqual(response, self.content(kept.file))
        self.assertTrue(kept.is_good(self.now))
        self.assertFalse(kept.wants_work(self.now))

    def test_half_life(self) -> None:
        """The next one is fetched when half of its life is over."""
        kept = self.keep(CA.respond(MX.certificate))
        kept.work()
        due = TIME - 3600 + LIFE / 2
        self.assertFalse(kept.wants_work(due - 1))
        self.assertTrue(kept.wants_work(due))

    def test_signer_ends(self) -> None:
        """A signer whose certificate ends sooner makes that sooner."""
        signer = CA.delegate(end=NOW + HOUR)
        kept = self.keep(CA.respond(MX.certificate, signer=signer))
        kept.work()
        self.assertFalse(kept.wants_work(TIME + 1799))
        self.assertTrue(kept.wants_work(TIME + 1800))
        self.assertTrue(kept.is_good(TIME + 3599))
        self.assertFalse(kept.is_good(TIME + 3600))

    def test_certificate_ends(self) -> None:
        """So does the certificate's own end, after which nobody is asked."""
        host = CA.issue(end=NOW + HOUR)
        kept = self.keep(CA.respond(host.certificate), host=host)
        kept.work()
        self.assertFalse(kept.is_good(TIME + 3600))
        self.assertTrue(kept.wants_work(TIME + 3599))
        self.assertFalse(kept.wants_work(TIME + 3600))

    def test_restart(self) -> None:
        """After a restart the proof on disk is used, and not fetched until it is due."""
        self.keep(CA.respond(MX.certificate)).work()
        kept = self.keep()
        self.assertTrue(kept.is_good(self.now))
        self.assertFalse(kept.wants_work(TIME - 3600 + LIFE / 2 - 1))
        self.assertTrue(kept.wants_work(TIME - 3600 + LIFE / 2))

    def test_restart_without_standing(self) -> None:
        """That holds too where nothing but the proof is left."""
        before = self.keep(CA.respond(MX.certificate))
        before.work()
        os.unlink(standing_path(before.file))
        self.assertFalse(self.keep().wants_work(self.now))

    def test_wild_plan(self) -> None:
        """A plan that a wrong clock made is not kept to."""
        before = self.keep(CA.respond(MX.certificate))
        before.work()
        before.standing.next_try = TIME + 10**9
        before.save()
        self.assertTrue(self.keep().wants_work(TIME + LIFE / 2))

    def test_damaged(self) -> None:
        """What has become of a file that is no proof is fetched anew."""
        before = self.keep(CA.respond(MX.certificate))
        before.work()
        with open(before.file, "wb") as file:
            file.write(b"\0" * 100)
        kept = self.keep(CA.respond(MX.certificate))
        self.assertFalse(kept.is_good(self.now))
        kept.work()
        self.assertTrue(kept.is_good(self.now))

    def test_standing(self) -> None:
        """A file beside the proof tells of it."""
        kept = self.keep(CA.respond(MX.certificate))
        kept.work()
        standing = Standing.read(standing_path(kept.file))
        assert standing is not None
        self.assertEqual(
            ("/mx.pem", [URL], "good", TIME, 0),
            (
                standing.path,
                standing.responders,
                standing.result,
                standing.result_at,
                standing.failures,
            ),
        )


class FailureTests(KeptProofCase):
    """Responders that give nothing."""

    def test_back_off(self) -> None:
        """Each failure doubles the wait; one that repeats is told once."""
        kept = self.keep(REFUSED, REFUSED, ExchangeError("No route to host"))
        said = []
        for wait in (FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT):
            said += kept.work()
            self.assertEqual(self.now + wait, kept.standing.next_try)
            self.now = kept.standing.next_try
        self.assertEqual(
            [
                f"OCSP proof for {NAME} not fetched: {URL}: Connection refused; "
                "next try at 2030-01-01 12:00:30 UTC",
                f"OCSP proof for {NAME} not fetched: {URL}: No route to host; "
                "next try at 2030-01-01 12:03:30 UTC",
            ],
            [report.text for report in said],
        )

    def test_alarms(self) -> None:
        """A proof that nears its end, and ends, is an alarm each, once."""
        response = CA.respond(MX.certificate)
        kept = self.keep(response, *[REFUSED] * 100)
        alarms = []
        for self.now in range(int(TIME), int(TIME) + 26 * 3600, 300):
            if kept.wants_work(self.now):
                kept.work()
            alarms += [(self.now, report) for report in kept.check()]
            self.assertEqual(response, self.content(kept.file))

        times, reports = zip(*alarms, strict=True)
        end = int(TIME) + 24 * 3600
        late = [time for time in range(int(TIME), end, 300) if end - time <= LIFE / 4]
        self.assertEqual((late[0], end), times)
        why = f"{URL}: Connection refused"
        self.assertEqual(
            (
                Report(
                    f"OCSP alarm for {NAME}: the proof ends soon, and no other can be "
                    f"fetched (2030-01-02 12:00:00 UTC): {why}",
                    is_alarm=True,
                ),
                Report(
                    f"OCSP alarm for {NAME}: the proof has ended (2030-01-02 12:00:00 "
                    f"UTC), and nothing is stapled: {why}",
                    is_alarm=True,
                ),
            ),
            reports,
        )

    def test_recovery(self) -> None:
        """A new proof ends the trouble: the next one is told again."""
        later = CA.respond(MX.certificate, begin=NOW + 22 * HOUR, end=NOW + 46 * HOUR)
        good = CA.respond(MX.certificate)
        kept = self.keep(good, REFUSED, REFUSED, later, REFUSED, REFUSED)
        kept.work()
        told = []
        for hours in (12, 22, 23, 34, 42):
            self.now = TIME + hours * 3600
            if kept.wants_work(self.now):
                told += kept.work()
            told += kept.check()
        self.assertEqual(
            [False, True, False, False, True],
            [report.is_alarm for report in told],
        )

    def test_never(self) -> None:
        """Where none ever comes that is an alarm after the third failure."""
        kept = self.keep(*[REFUSED] * 4)
        alarms = []
        for _ in range(4):
            kept.work()
            alarms.append(len(kept.check()))
            self.now = kept.standing.next_try
        self.assertEqual([0, 0, 1, 0], alarms)

    def test_unwritable(self) -> None:
        """A folder that takes no file is told, and tried again later."""
        kept = self.keep(CA.respond(MX.certificate))
        os.rmdir(self.folder)
        reports = kept.work()
        self.assertEqual(1, len(reports))
        self.assertIn("cannot be kept: ", reports[0].text)
        self.assertIn("No such file or directory", reports[0].text)
        self.assertFalse(kept.wants_work(self.now))
        self.assertFalse(kept.is_good(self.now))


class RevocationTests(KeptProofCase):
    """A certificate that is revoked."""

    def revoke(self) -> KeptProof:
        """Return a kept proof whose responder has begun to say so."""
        good = CA.respond(MX.certificate)
        kept = self.keep(good, CA.respond(MX.certificate, REVOKED, begin=NOW))
        kept.work()
        kept.standing.next_try = self.now
        return kept

    def test_alarm(self) -> None:
        """That is one alarm; the good proof is good no more."""
        kept = self.revoke()

        reports = [*kept.work(), *kept.check(), *kept.check()]

        text = (
            f"OCSP alarm for {NAME}: the certificate is revoked, and nothing is "
            f"stapled: {URL}: the certificate is revoked"
        )
        self.assertEqual([Report(text, is_alarm=True)], reports)
        self.assertFalse(kept.is_good(self.now))
        self.assertTrue(kept.is_settled(self.now))

    def test_copies(self) -> None:
        """Files of others are left as they are, and cannot bring the proof back."""
        copy = self.path("copy", b"")
        kept = self.revoke()
        good = self.content(kept.file)
        self.path("copy", good)
        kept.copies = (StapleFile(copy),)
        kept.work()
        kept.work()
        self.assertEqual(good, self.content(copy))
        self.assertFalse(kept.is_good(self.now))

    def test_rarely(self) -> None:
        """The responder is asked again, rarely."""
        kept = self.revoke()
        kept.work()
        self.assertFalse(kept.wants_work(TIME + REVOKED_WAIT - 1))
        self.assertTrue(kept.wants_work(TIME + REVOKED_WAIT))

    def test_restart(self) -> None:
        """A restart forgets nothing: there is an alarm again, and no proof."""
        self.revoke().work()
        kept = self.keep()
        self.assertFalse(kept.is_good(self.now))
        self.assertFalse(kept.wants_work(self.now))
        self.assertEqual([True], [report.is_alarm for report in kept.check()])

    def test_replayed(self) -> None:
        """An older answer that was good does not undo it; a newer one does."""
        older = CA.respond(MX.certificate)
        kept = self.revoke()
        kept.work()
        self.answers = [older, CA.respond(MX.certificate, begin=NOW)]
        self.now += REVOKED_WAIT
        kept.work()
        self.assertFalse(kept.is_good(self.now))
        self.assertIn("older than the proof", kept.standing.result)
        self.now = kept.standing.next_try
        kept.work()
        self.assertTrue(kept.is_good(self.now))
