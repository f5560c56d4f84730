"""What is remembered of callouts, for how long, and what of it counts."""

from __future__ import annotations

from mta.callout import CalloutSender
from tests.delivery.calling_out import LATER, UNKNOWN, CalloutCase

HOUR = 3600.0


class MemoryTests(CalloutCase):
    def lifetime(self, outcome: tuple[str, str], **facts: object) -> float:
        """Return for how long a callout is not repeated, which ends as foreseen."""
        began = self.hints.now
        self.assertEqual(outcome, self.outcome(**facts))
        [expires] = {expires for _, expires in self.hints.values.values()}
        before = self.a.connections
        self.hints.now = expires - 1
        found = self.verify(**facts)
        self.assertEqual(outcome, (found.outcome, found.failure))
        assert found.answer is not None
        self.assertTrue(found.answer.is_remembered)
        self.assertEqual(before, self.a.connections)
        self.hints.now = expires + 1
        self.verify(**facts)
        self.assertEqual(before + 1, self.a.connections)
        return expires - began

    def test_accepted(self) -> None:
        """A yes holds for a day, or as long as is set."""
        self.assertEqual(24 * HOUR, self.lifetime(("ok", "")))
        self.set_up(callout_positive_expire="5m")
        self.hints.values.clear()
        self.assertEqual(300, self.lifetime(("ok", "")))

    def test_refused(self) -> None:
        """A no holds for two hours, or as long as is set."""
        self.a.replies["RCPT"] = UNKNOWN
        self.assertEqual(2 * HOUR, self.lifetime(("fail", "recipient")))
        self.set_up(callout_negative_expire="5m")
        self.hints.values.clear()
        self.assertEqual(300, self.lifetime(("fail", "recipient")))

    def test_session_refused(self) -> None:
        """That a domain lets nobody in holds for three hours, or as is set."""
        self.a.replies["GREETING"] = UNKNOWN
        self.assertEqual(3 * HOUR, self.lifetime(("fail", "mail")))
        self.set_up(callout_domain_negative_expire="5m")
        self.hints.values.clear()
        self.assertEqual(300, self.lifetime(("fail", "mail")))

    def test_random(self) -> None:
        """That a domain takes everything holds for a week, or as is set."""
        self.assertEqual(168 * HOUR, self.lifetime(("ok", "random"), random=True))
        self.set_up(callout_domain_positive_expire="5m")
        self.hints.values.clear()
        self.assertEqual(300, self.lifetime(("ok", "random"), random=True))

    def test_nothing_kept(self) -> None:
        """Doubts are not kept, and nothing is without the cache."""
        self.a.replies["RCPT"] = self.b.replies["RCPT"] = LATER
        self.outcome()
        self.a.replies["RCPT"] = UNKNOWN
        self.outcome(uses_cache=False)
        self.assertEqual({}, self.hints.values)

    def test_not_read(self) -> None:
        """Without the cache, what is known does not count."""
        self.verify()
        self.a.replies["RCPT"] = UNKNOWN

        self.assertEqual(("ok", ""), self.outcome())
        self.assertEqual(("fail", "recipient"), self.outcome(uses_cache=False))
        self.assertEqual(("ok", ""), self.outcome())

    def test_null_sender_refused(self) -> None:
        """A domain that refuses the null sender may take others."""
        self.with_message("me@example.net")
        self.a.replies["MAIL FROM:<>"] = UNKNOWN
        self.outcome()

        self.assertEqual(("fail", "mail"), self.outcome("x@d.example"))
        self.assertEqual(1, self.a.connections)
        self.assertEqual(("ok", ""), self.outcome(sender_is=CalloutSender.MESSAGE))

    def test_domains(self) -> None:
        """What holds for a domain holds however it is written, for no other."""
        self.a.replies["GREETING"] = UNKNOWN
        self.outcome()

        self.outcome("x@D.EXAMPLE")
        self.assertEqual(1, self.a.connections)
        self.outcome("x@e.example")
        self.assertEqual(2, self.a.connections)

    def test_local_parts(self) -> None:
        """Local parts that differ in case are different addresses."""
        self.verify()
        self.verify("Joe@d.example")

        self.assertEqual(2, self.a.connections)

    def test_unreadable(self) -> None:
        """Where the memory cannot be read the host is asked."""
        self.verify()
        self.hints.is_broken = True
        self.a.replies["RCPT"] = UNKNOWN

        self.assertEqual(("fail", "recipient"), self.outcome())

    def test_no_memory(self) -> None:
        """Where there is no memory the host is asked each time."""
        self.site.hints = None
        self.verify()
        self.verify()

        self.assertEqual(2, self.a.connections)

    def test_foreign_values(self) -> None:
        """What no callout wrote counts for nothing."""
        self.verify()
        for key, (_, expires) in list(self.hints.values.items()):
            self.hints.values[key] = ["?"], expires

        self.assertEqual(("ok", ""), self.outcome())
        self.assertEqual(2, self.a.connections)

    def test_without_details(self) -> None:
        """A remembered failure says that it is one; what the host said is forgotten."""
        self.a.replies["RCPT"] = UNKNOWN
        self.verify()

        found = self.verify()

        self.assertEqual("Previous (cached) callout verification failure", found.text)
        assert found.answer is not None
        self.assertEqual("", found.answer.reply)
