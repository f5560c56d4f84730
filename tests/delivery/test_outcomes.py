"""Tests for the log lines of deliveries."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, Address, parse_address
from mta.delivery.outcomes import DeliveryLog, note_reason
from mta.host import Host
from mta.message import Message, Recipient
from mta.recipient import Outcome, Result, RoutedAddress
from mta.testing import MemoryLogs


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.message = Message("1abc-00000000001-0000", received_at=1000.0)

    def log(self, *selectors: str) -> tuple[DeliveryLog, MemoryLogs]:
        logs = MemoryLogs(MemoryLogs().selectors | set(selectors))
        return DeliveryLog(logs, ["here"]), logs

    def address(self, text: str, *parents: str) -> RoutedAddress:
        top = parse_address(parents[-1] if parents else text)
        recipient = Recipient(top)
        parent = None
        for name in reversed(parents):
            parent = RoutedAddress(parse_address(name), recipient, parent)
        made = RoutedAddress(parse_address(text), recipient, parent)
        made.router, made.transport = "r", "t"
        return made


class ShownTests(Case):
    def test_forms(self) -> None:
        """Original in angle brackets where it differs; local part where it is local."""
        log, _ = self.log()
        local = self.address("alice@example.com")
        local.router = "here"
        pipe = self.address("alice@example.com", "alice@example.com")
        pipe.pipe_command = "|/bin/x -y"

        for address, shown in (
            (self.address("a@x.example"), "a@x.example"),
            (self.address("a@x.example", "b@y.example"), "a@x.example <b@y.example>"),
            (local, "alice <alice@example.com>"),
            (pipe, "|/bin/x -y <alice@example.com>"),
        ):
            with self.subTest(shown=shown):
                self.assertEqual(log.shown(address), shown)

    def test_all_parents(self) -> None:
        """With all_parents those between stand in parentheses."""
        log, _ = self.log("all_parents")
        address = self.address("a@x.example", "m@y.example", "top@y.example")

        self.assertEqual(
            log.shown(address), "a@x.example (m@y.example) <top@y.example>"
        )


class LineTests(Case):
    def test_deferred(self) -> None:
        """== has the number, what it stands for, the host, then the text."""
        log, logs = self.log()
        address = self.address("a@x.example")
        host = Host("mx.x.example", "192.0.2.1", 2525)

        log.deferred(
            self.message,
            Outcome(address, Result.DEFERRED, "lost", error=104, host=host),
        )
        log.deferred(self.message, Outcome(address, Result.DEFERRED, "no", error=-44))

        self.assertEqual(
            logs.lines,
            [
                "== a@x.example R=r T=t defer (104): Connection reset by peer "
                "H=mx.x.example [192.0.2.1]: lost",
                "== a@x.example R=r T=t defer (-44): no",
            ],
        )

    def test_deferred_over_tls(self) -> None:
        """== has the verdict on TLS, but not what only => lines have."""
        log, logs = self.log()
        outcome = Outcome(
            self.address("a@x.example"),
            Result.DEFERRED,
            "no",
            error=-37,
            host=Host("mx.x.example", "192.0.2.1"),
            log_fields=["X=TLS1.3", 'TLSV="tls=yes chain=no! (expired)"'],
        )

        log.deferred(self.message, outcome)

        self.assertEqual(
            logs.lines,
            [
                "== a@x.example R=r T=t defer (-37) H=mx.x.example [192.0.2.1] "
                'TLSV="tls=yes chain=no! (expired)": no',
            ],
        )

    def test_deferred_locally(self) -> None:
        """A local address that waits is shown whole, unlike one that is delivered."""
        log, logs = self.log()
        address = self.address("alice@example.com")
        address.router = "here"

        log.deferred(self.message, Outcome(address, Result.DEFERRED, "no", error=-22))

        self.assertTrue(logs.lines[0].startswith("== alice@example.com R=here"))

    def test_system_error(self) -> None:
        """What the system said is told once."""
        log, logs = self.log()
        text = "No space left on device: while writing to /d"
        outcome = Outcome(self.address("a@b.example"), Result.DEFERRED, text, error=28)

        log.deferred(self.message, outcome)

        self.assertEqual(
            logs.lines,
            [
                "== a@b.example R=r T=t defer (28): No space left on device: while writing to /d"
            ],
        )

    def test_retry_defer(self) -> None:
        """Lines that only say "not yet" are left out without retry_defer."""
        logs = MemoryLogs([])
        address = self.address("a@x.example")

        DeliveryLog(logs, []).deferred(
            self.message, Outcome(address, Result.DEFERRED, "not yet", error=-54)
        )

        self.assertEqual(logs.lines, [])

    def test_failed(self) -> None:
        """** has the fields of => without the confirmation, then the text."""
        log, logs = self.log("return_path_on_delivery")
        outcome = Outcome(
            self.address("a@x.example"),
            Result.FAILED,
            "550 no",
            host=Host("mx", "192.0.2.1"),
            log_fields=["X=TLS1.3", 'C="x"'],
        )

        log.failed(self.message, outcome, NULL_PATH)

        self.assertEqual(
            logs.lines,
            ["** a@x.example P=<> R=r T=t H=mx [192.0.2.1] X=TLS1.3: 550 no"],
        )

    def test_port(self) -> None:
        """outgoing_port adds the port where it is known."""
        log, logs = self.log("outgoing_port")
        host = Host("mx", "192.0.2.1", 2525)

        log.failed(
            self.message,
            Outcome(self.address("a@x.example"), Result.FAILED, "no", host=host),
            NULL_PATH,
        )

        self.assertIn("H=mx [192.0.2.1]:2525: no", logs.lines[0])

    def test_dnssec(self) -> None:
        """dnssec marks a host that DNSSEC vouches for, whatever became of it."""
        for secure, selectors, shown in (
            (True, ("dnssec",), "H=mx DS [192.0.2.1]"),
            (True, (), "H=mx [192.0.2.1]"),
            (False, ("dnssec",), "H=mx [192.0.2.1]"),
        ):
            log, logs = self.log(*selectors)
            host = Host("mx", "192.0.2.1", secure=secure)
            outcome = Outcome(self.address("a@x.example"), Result.DEFERRED, host=host)
            log.deferred(self.message, outcome)
            log.failed(self.message, outcome, NULL_PATH)
            log.delivered(
                self.message, outcome, NULL_PATH, first=True, now=1001.0, size=1
            )
            self.assertEqual(3, len([line for line in logs.lines if shown in line]))

    def test_completed(self) -> None:
        """Completed tells the time in the queue where asked."""
        for selectors, line in (
            ((), "Completed"),
            (("queue_time_overall",), "Completed QT=1m1s"),
            (("queue_time_overall", "millisec"), "Completed QT=61.500s"),
        ):
            with self.subTest(selectors=selectors):
                log, logs = self.log(*selectors)
                log.completed(self.message, 1061.5)
                self.assertEqual(logs.lines, [line])


class ReasonTests(SynchronousTestCase):
    """What listings of the queue say of a recipient that waits."""

    def noted(self, *outcomes: dict[str, Any]) -> str:
        recipient = Recipient(Address("joe", "far.test"))
        address = RoutedAddress(recipient.address, recipient)
        for facts in outcomes:
            note_reason(Outcome(address, Result.DEFERRED, **facts))
        return recipient.reason

    def test_host(self) -> None:
        """The host is named, and the system's own words stand for a number."""
        host = Host("mx.far.test", "192.0.2.1")
        self.assertEqual(
            "mx.far.test [192.0.2.1]: 450 busy",
            self.noted({"text": "450 busy", "host": host}),
        )
        self.assertEqual("Connection refused", self.noted({"text": "", "error": 111}))

    def test_not_due(self) -> None:
        """That it is not yet time says less than what happened before."""
        not_due = {"text": "retry time not reached", "error": -54}
        self.assertEqual("refused", self.noted({"text": "refused"}, not_due))
        self.assertEqual("retry time not reached", self.noted(not_due))
        self.assertEqual("b", self.noted({"text": "a"}, {"text": "b"}))
