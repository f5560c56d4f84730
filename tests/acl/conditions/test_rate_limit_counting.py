"""Tests of mta.acl.conditions.rate_limit: what counts, where, and how often."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.acl.syntax import misplaced
from mta.address import parse_address
from mta.message import Bytes, HeaderSection, Recipient
from tests.acl.conditions.rate_case import RateCase


class OnceTests(RateCase):
    """What is counted once, however often the condition is met."""

    def test_connection(self) -> None:
        """A connection counts once in its life, messages or not."""
        self.rate("9 / 1h / per_conn", Phase.CONNECT)
        self.next_message()

        self.assertEqual("1.0", self.rate("9 / 1h / per_conn", Phase.MAIL))
        self.next_connection()
        self.assertEqual("2.0", self.rate("9 / 1h / per_conn", Phase.CONNECT))

    def test_message(self) -> None:
        """A message counts once, in whichever ACLs."""
        for phase in (Phase.MAIL, Phase.RCPT, Phase.RCPT, Phase.PREDATA, Phase.DATA):
            self.assertEqual("1.0", self.rate("9 / 1h", phase))
        self.next_message()
        self.assertEqual("2.0", self.rate("9 / 1h", Phase.MAIL))

    def test_recipient(self) -> None:
        """Each RCPT counts, but once in its ACL."""
        acl = """
            warn ratelimit = 0 / 1h / per_rcpt / strict
            warn ratelimit = 0 / 1h / per_rcpt / strict
            accept
        """
        for rate in ("1.0", "2.0", "3.0"):
            self.verdict(acl)
            self.assertEqual(rate, self.run.context.values["sender_rate"])

    def test_command(self) -> None:
        """Each command counts, but once in its ACL, the ACLs inside included."""
        self.verdict(
            "warn ratelimit = 0 / 1h / per_cmd / strict\naccept acl = inner",
            Phase.HELO,
            named={"inner": "accept ratelimit = 0 / 1h / per_cmd / strict"},
        )
        self.assertEqual("1.0", self.run.context.values["sender_rate"])
        self.assertEqual("2.0", self.rate("9 / 1h / per_cmd", Phase.MAIL))

    def test_other_limit(self) -> None:
        """A rate that was measured is compared with each limit."""
        self.rate("9 / 1h / per_mail / count=4")

        self.assertTrue(self.reaches("3 / 1h / per_mail"))
        self.assertFalse(self.reaches("5 / 1h / per_mail"))

    def test_readonly_before(self) -> None:
        """Reading a rate first does not keep it from being measured."""
        self.assertEqual("0.0", self.rate("9 / 1h / readonly", Phase.MAIL))

        self.assertEqual("1.0", self.rate("9 / 1h / strict", Phase.MAIL))

    def test_readonly_in_between(self) -> None:
        """Reading in a command before and after counting tells what there is."""
        limits = ("readonly", "strict", "readonly")
        for option, rates in (("per_mail", "0 1 0"), ("per_rcpt", "0 1 1")):
            acl = "\n".join(
                f"warn ratelimit = 0 / 1h / {option} / {update}\n"
                "logwrite = $sender_rate"
                for update in limits
            )
            self.logs.main_lines.clear()
            self.verdict(acl)
            self.assertEqual(rates.split(), [line[:1] for line in self.logs.lines])

    def test_readonly_later(self) -> None:
        """The next command reads anew."""
        self.rate("9 / 1h / readonly", Phase.MAIL)
        self.rate("9 / 1h / strict", Phase.MAIL)

        self.assertEqual("1.0", self.rate("9 / 1h / readonly", Phase.RCPT))


class MeasureTests(RateCase):
    """What one event counts."""

    def give_content(self) -> None:
        """Let the message have a header section of 14 octets and a body of 84."""
        assert self.transaction.message is not None
        self.transaction.message.header = HeaderSection(b"Subject: test\r")
        self.transaction.message.body = Bytes(b"x" * 84)

    def test_declared_octets(self) -> None:
        """Before its content comes, a message has the size that MAIL said."""
        assert self.transaction.message is not None
        self.transaction.message.declared_size = 1000

        self.assertEqual("1000.0", self.rate("1M / 1h / per_byte", Phase.MAIL))

    def test_undeclared_octets(self) -> None:
        """Where MAIL said none it counts nothing."""
        self.assertEqual("0.0", self.rate("1M / 1h / per_byte", Phase.MAIL))

    def test_octets(self) -> None:
        """Afterwards its size counts."""
        self.give_content()

        self.assertEqual("100.0", self.rate("1M / 1h / per_byte", Phase.DATA))

    def test_octets_of_submission(self) -> None:
        """So it does for a message that came by no SMTP."""
        self.give_content()

        self.assertEqual("100.0", self.rate("1M / 1h / per_byte", Phase.NOT_SMTP))

    def test_accepted_recipients(self) -> None:
        """Behind RCPT all recipients that were accepted count at once."""
        assert self.transaction.message is not None
        self.transaction.message.recipients = [
            Recipient(parse_address(f"{name}@example.com")) for name in "abc"
        ]

        self.assertEqual("3.0", self.rate("9 / 1h / per_rcpt", Phase.PREDATA))
        self.assertEqual("3.0", self.rate("9 / 1h / per_rcpt", Phase.DATA))

    def test_count(self) -> None:
        """A count that is given stands for any measure."""
        for option in ("per_mail", "per_conn", "per_rcpt", "per_byte"):
            limit = f"9 / 1h / {option} / count=1.5 / {option[4:]}-key"
            self.assertEqual("1.5", self.rate(limit))


class UniqueTests(RateCase):
    """Events that count once in a period."""

    def see(self, event: str, limit: str = "9 / 1h / per_cmd / strict") -> str:
        """Return the rate when an event happens."""
        self.verdict(
            f"accept ratelimit = {limit} / unique=$event", values={"event": event}
        )
        return self.run.context.values["sender_rate"]

    def test_events(self) -> None:
        """Only what was not seen before counts."""
        found = [self.see(event) for event in ("a", "b", "a", "b", "c")]

        self.assertEqual(["1.0", "2.0", "2.0", "2.0", "3.0"], found)

    def test_slashes(self) -> None:
        """An event is its whole text."""
        found = [self.see(event) for event in ("a/b", "a/c", "a/strict", "a/b")]

        self.assertEqual(["1.0", "2.0", "3.0", "3.0"], found)

    def test_period(self) -> None:
        """When a set of events is older than the period it is begun anew."""
        self.see("a")
        self.wait(1800)
        self.see("b")
        self.wait(1801)

        # (1 - e^-x) / x + r e^-x, where r was (1 - e^-0.5) / 0.5 + e^-0.5 = 1.39.
        self.assertEqual("1.6", self.see("a"))
        self.assertEqual("1.6", self.see("a"))

    def test_leaky(self) -> None:
        """An event that reaches the limit is not remembered."""
        limit = "2 / 1h / per_cmd / leaky"
        found = [self.see(event, limit) for event in ("a", "b", "c", "b", "c")]

        self.assertEqual(["1.0", "2.0", "3.0", "2.0", "3.0"], found)

    def test_readonly(self) -> None:
        """Reading ignores the event."""
        self.see("a")

        self.assertEqual("1.0", self.see("b", "9 / 1h / per_cmd / readonly"))
        self.assertEqual("2.0", self.see("b"))

    def test_addresses(self) -> None:
        """per_addr counts each recipient once, and is per_rcpt with unique=."""
        for text, rate in (("a@x.example", "1.0"), ("b@x.example", "2.0")):
            self.recipient = self.routed(text)
            self.assertEqual(rate, self.rate("9 / 1h / per_addr / strict"))
        self.recipient = self.routed("A@X.example")
        self.assertEqual("2.0", self.rate("9 / 1h / per_addr / strict"))
        self.assertEqual("2.0", self.see("b@x.example", "9 / 1h / per_rcpt / strict"))

    def test_bounded(self) -> None:
        """Far beyond the limit no more events are remembered, but they count."""
        for number in range(400):
            rate = self.see(str(number), "1 / 1h / per_cmd / strict")

        self.assertEqual("400.0", rate)
        self.assertEqual(320, len(self.hints.keys("ratelimit-event")))


class PhaseTests(RateCase):
    """Where a measure makes sense."""

    MESSAGE = (Phase.MAIL, Phase.RCPT, Phase.PREDATA, Phase.DATA, Phase.NOT_SMTP)
    WHERE = {
        "per_mail": MESSAGE,
        "per_byte": MESSAGE,
        "per_rcpt": MESSAGE[1:],
        "per_addr": (Phase.RCPT,),
        "per_cmd": tuple(Phase),
        "per_conn": tuple(
            phase
            for phase in Phase
            if phase not in (Phase.NOT_SMTP, Phase.NOT_SMTP_START, Phase.EXPANSION)
        ),
    }

    def test_elsewhere(self) -> None:
        """Elsewhere the rate is only read."""
        for option, phases in self.WHERE.items():
            for phase in Phase:
                self.hints.entries.clear()
                self.next_message()
                self.transaction.connection_rates = {}
                self.rate(f"9 / 1h / {option}", phase)
                self.assertEqual(
                    phase in phases, bool(self.hints.keys()), f"{option} {phase}"
                )

    def test_refused(self) -> None:
        """There it cannot be updated, whether that is asked strictly or not."""
        for update in ("strict", "leaky"):
            for option, phases in self.WHERE.items():
                acl = self.parse(f"accept ratelimit = 9 / 1h / {option} / {update}")
                for phase in Phase:
                    errors = [str(error) for error in misplaced(acl, phase)]
                    self.assertEqual(phase not in phases, bool(errors))
                    text = f'cannot test "{update}" {option} ratelimit condition in'
                    self.assertIn(text, "".join(errors) or text)

    def test_refused_by_expansion(self) -> None:
        """So it is where an expansion asks."""
        verdict = self.verdict(
            "accept ratelimit = 9 / 1h / $x",
            Phase.CONNECT,
            values={"x": "per_mail / strict"},
        )

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn(
            '"strict" cannot be used with "per_mail" in connection ACL',
            verdict.log_message,
        )
