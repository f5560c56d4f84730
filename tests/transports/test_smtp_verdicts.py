"""What the history of TLS is told of deliveries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.log import ALL_SELECTORS
from mta.message import HeaderSection, Message, Recipient
from mta.recipient import Result, RoutedAddress
from mta.tls.verdict import TLSVerdict
from mta.transports.base import Batch
from mta.transports.smtp_verdicts import destination, is_tls_report
from tests.transports.relaying import HOST_A, HOST_B, HOST_C
from tests.transports.test_smtp_link import TLSCase


class MemoryResults:
    """Keeps domain, sessions, deliveries and verdict of everything it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int, TLSVerdict]] = []

    def record(
        self, domain: str, verdict: Any, *, sessions: int = 0, deliveries: int = 0
    ) -> None:
        self.told.append((domain, sessions, deliveries, verdict))

    @property
    def sums(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """Sessions and deliveries by domain, host and the word for TLS."""
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for domain, sessions, deliveries, verdict in self.told:
            key = (domain, verdict.host, verdict.tls.word)
            before = found.get(key, (0, 0))
            found[key] = (before[0] + sessions, before[1] + deliveries)
        return found


class HistoryCase(TLSCase):
    """Delivers with a history that a test can look at."""

    header = b""

    def setUp(self) -> None:
        super().setUp()
        self.results = MemoryResults()

    def batch(self, *names: str, **facts: Any) -> Batch:
        batch = super().batch(*names, **facts)
        for address in batch.addresses:
            address.hosts = [
                replace(host, mail_domain=address.domain if host.preference > 0 else "")
                for host in address.hosts
            ]
        batch.context.site.tls_results = self.results
        if self.header:
            batch.message.header = HeaderSection(self.header)
        return batch


class HistoryTests(HistoryCase):
    """One batch after the other."""

    def test_delivered(self) -> None:
        """A connection and a delivery are counted under what the host proved."""
        self.one()

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "yes"): (1, 1)}
        )
        verdict = self.results.told[-1][3]
        self.assertEqual(verdict.ip_address, "192.0.2.1")
        self.assertEqual(verdict.local_address, "127.0.0.1")
        self.assertIn("TLS1.3", verdict.cipher)

    def test_reused(self) -> None:
        """A second message over a connection is a delivery and no connection."""
        self.one()
        self.one()

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "yes"): (1, 2)}
        )

    def test_dnssec(self) -> None:
        """Whether a host can have TLSA records at all is known without asking."""
        self.one()
        self.one(hosts=(replace(HOST_B, secure=True),))

        reasons = [told[3].dane.reason for told in self.results.told[::2]]
        self.assertEqual(
            reasons, ["the address is not authenticated by DNSSEC", "no TLSA records"]
        )
        self.assertEqual(self.resolver.asked[-1], ("_25._tcp.b.example", "TLSA"))

    def test_two_domains(self) -> None:
        """A connection counts for each domain whose messages it carries, once."""
        self.deliver("a@one.example", "b@two.example", "c@two.example")
        self.deliver("a@one.example")

        self.assertEqual(
            self.results.sums,
            {
                ("one.example", "a.example", "yes"): (1, 2),
                ("two.example", "a.example", "yes"): (1, 1),
            },
        )

    def test_no_offer(self) -> None:
        """What went in clear since there was no TLS is known as such."""
        self.a.keywords = ()
        self.one()

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "no"): (1, 1)}
        )

    def test_clear_after_failure(self) -> None:
        """A failed handshake and the delivery in clear behind it are one connection."""
        self.network.on_tls = self.break_off
        self.assert_delivered(self.one())

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "no"): (1, 1)}
        )
        verdict = self.results.told[-1][3]
        self.assertIn("no shared cipher", verdict.tls.reason)
        self.assertEqual(verdict.helo, "fake")

    def test_refused(self) -> None:
        """A host that did not prove enough is known, though it got nothing."""
        self.network.on_tls = self.break_off
        self.transport(hosts_require_tls="*")
        outcome = self.one(hosts=(HOST_A,))

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "no!"): (1, 0)}
        )

    def test_next_host(self) -> None:
        """Each host that was tried has its own verdict."""
        self.a.keywords = ()
        self.b.keywords = self.a.keywords
        self.transport(hosts_require_tls=HOST_A.name)
        self.one()

        self.assertEqual(
            self.results.sums,
            {
                ("example.com", "a.example", "no!"): (1, 0),
                ("example.com", "b.example", "no"): (1, 1),
            },
        )

    def test_avoided(self) -> None:
        """Where TLS is not to be tried, that is known too."""
        self.transport(hosts_avoid_tls="*")
        self.one()

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "unasked"): (1, 1)}
        )

    def test_refused_recipient(self) -> None:
        """A message that a host does not take is a connection and no delivery."""
        self.a.replies["RCPT"] = b"550 no\r\n"
        self.one(hosts=(HOST_A,))

        self.assertEqual(
            self.results.sums, {("example.com", "a.example", "yes"): (1, 0)}
        )

    def test_no_connection(self) -> None:
        """A host that cannot be reached says nothing of its TLS."""
        self.serve(HOST_A, Refused())
        self.one(hosts=(HOST_A,))

        self.assertEqual(self.results.told, [])

    def test_smart_host(self) -> None:
        """A host that a configuration names stands for itself, not for domains."""
        self.serve(HOST_C, self.a)
        self.one(hosts=(HOST_C,))

        self.assertEqual([told[0] for told in self.results.told], ["c.example"] * 2)

    def test_without_history(self) -> None:
        """Without a history messages are delivered all the same."""
        batch = self.batch()
        batch.context.site.tls_results = None
        [outcome] = self.successResultOf(self.begin(batch))

        self.assert_delivered(outcome)


class ReportTests(HistoryCase):
    """Messages that carry TLS reports."""

    header = b"From: a@b.example\r\nTLS-Report-Domain: example.com\r\n"

    def test_not_counted(self) -> None:
        """What carries a report is not in the next one (RFC 8460, section 3)."""
        self.assert_delivered(self.one())

        self.assertEqual(self.results.told, [])

    def test_known(self) -> None:
        """Such a message is known by its field."""
        self.assertTrue(is_tls_report(Message(header=HeaderSection(self.header))))
        self.assertFalse(is_tls_report(Message(header=HeaderSection(b"A: b\r\n"))))


class LogTests(HistoryCase):
    """The selector ``tls_verdict``."""

    def test_delivered(self) -> None:
        """The line of a delivery has the whole verdict."""
        self.logs.selectors = ALL_SELECTORS
        outcome = self.one()

        [field] = [f for f in outcome.log_fields if f.startswith("TLSV=")]
        self.assertTrue(field.startswith('TLSV="tls=yes chain='), field)

    def test_deferred(self) -> None:
        """So has the line of a delivery that came to nothing."""
        self.logs.selectors = ALL_SELECTORS
        self.network.on_tls = self.break_off
        self.transport(hosts_require_tls="*")
        outcome = self.one(hosts=(HOST_A,))

        [field] = [f for f in outcome.log_fields if f.startswith("TLSV=")]
        self.assertIn("tls=no! (", field)

    def test_not_selected(self) -> None:
        """Without the selector nothing is said."""
        outcome = self.one()

        self.assertEqual([f for f in outcome.log_fields if "TLSV" in f], [])


class DestinationTests(SynchronousTestCase):
    """Whose policy a host is under."""

    def test_destinations(self) -> None:
        """The domain with the MX record where there is one, else the host's name."""
        mx = replace(HOST_A, mail_domain="one.example")
        address = parse_address("joe@one.example")
        routed = RoutedAddress(address, Recipient(address), hosts=[mx, HOST_B])

        self.assertEqual(destination(HOST_A, routed), "one.example")
        self.assertEqual(destination(replace(mx, port=26), routed), "one.example")
        self.assertEqual(destination(HOST_B, routed), "b.example")
        self.assertEqual(destination(HOST_C, routed), "c.example")
