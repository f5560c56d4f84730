"""Policies are found where they are announced, and no more is asked than needed."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mta.dns.resolver import Resolver
from mta.host import Answer, Outcome
from mta.tls import sts_cache
from mta.tls.sts import POLICY_INVALID, WEBPKI_INVALID, FetchFailure, Mode
from mta.tls.sts_cache import CHECK_SECONDS, UNANSWERED_SECONDS, PolicyCache
from tests.tls.policies import DOMAIN, FAULT, RECORD, CacheCase, policy_file


class DiscoveryTests(CacheCase):
    """A first look at a domain."""

    def test_found(self) -> None:
        """What the domain announces is fetched."""
        finding = self.find()

        assert finding.policy is not None
        self.assertEqual(finding.policy.mx, ("mx.example.test",))
        self.assertEqual((finding.domain, finding.fault), (DOMAIN, ""))

    def test_no_record(self) -> None:
        """Without a record nothing is fetched: the cost is one question."""
        for records in (Outcome.NO_DOMAIN, Outcome.NO_DATA, [b"v=spf1 -all"]):
            self.resolver.records[RECORD] = records
            self.assertIsNone(self.mode(CHECK_SECONDS))
        self.assertEqual(self.fetched, [])
        self.assertEqual(self.hints.writes, 0)
        self.assertEqual(set(self.resolver.asked), {RECORD})

    def test_asked_once(self) -> None:
        """Within a minute the DNS is asked once, whether there is a policy or not."""
        for _ in range(3):
            self.find(1)
            self.find(domain="none.test")
        self.assertEqual(len(self.resolver.asked), 2)
        self.assertEqual(self.fetched, [DOMAIN])

        self.find(CHECK_SECONDS)
        self.assertEqual(len(self.resolver.asked), 3)

    def test_unanswered(self) -> None:
        """A DNS that does not answer is left alone for a while: no policy is known."""
        self.resolver.records[RECORD] = Answer(Outcome.AGAIN)

        self.assertIsNone(self.mode())
        self.assertIsNone(self.mode(UNANSWERED_SECONDS - 1))
        self.assertEqual(len(self.resolver.asked), 1)
        self.announce("1")
        self.assertIs(self.mode(1), Mode.ENFORCE)

    def test_silent(self) -> None:
        """Silent name servers cost five seconds; then no policy is known for a while."""
        asked = self.be_silent()
        looking = Deferred.fromCoroutine(self.cache.find(DOMAIN))

        self.reactor.advance(2.5)
        self.reactor.advance(2.4)
        self.assertNoResult(looking)
        self.reactor.advance(0.2)

        self.assertIsNone(self.successResultOf(looking).policy)
        self.assertEqual(asked, [RECORD, RECORD])
        self.assertIsNone(self.mode(UNANSWERED_SECONDS - 1))
        self.assertEqual(len(asked), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lost_packet(self) -> None:
        """One answer that is lost hides no policy."""
        answering = self.resolver.query
        self.be_silent()
        looking = Deferred.fromCoroutine(self.cache.find(DOMAIN))
        self.patch(self.resolver, "query", answering)
        self.reactor.advance(2.5)

        self.assertIsNotNone(self.successResultOf(looking).policy)

    def test_waited_for_once(self) -> None:
        """Deliveries at the same time share one question and one fetch."""
        self.files[DOMAIN] = served = Deferred()

        waiting = [Deferred.fromCoroutine(self.cache.find(DOMAIN)) for _ in range(3)]
        for one in waiting:
            self.assertNoResult(one)
        served.callback(policy_file())

        findings = [self.successResultOf(one) for one in waiting]
        self.assertEqual(len({id(finding) for finding in findings}), 1)
        self.assertEqual((len(self.resolver.asked), len(self.fetched)), (1, 1))

    def test_not_to_be_had(self) -> None:
        """A policy that cannot be fetched is none, and the log says why, once."""
        self.files[DOMAIN] = FAULT

        finding = self.find()

        self.assertIsNone(finding.policy)
        self.assertEqual(finding.fault, "no certificate")
        self.assertEqual(finding.result_type, WEBPKI_INVALID)
        self.assertEqual(
            self.lines, ["MTA-STS policy of example.test cannot be had: no certificate"]
        )

    def test_invalid(self) -> None:
        """Nor can one that is no policy."""
        self.files[DOMAIN] = b"<html>\r\x00"

        self.assertEqual(self.find().result_type, POLICY_INVALID)

    def test_log_is_printable(self) -> None:
        """What a server says cannot forge lines of the log."""
        self.files[DOMAIN] = FetchFailure("it redirects, to x\n1970-01-01 <= forged")

        self.find()

        self.assertNotIn("\n", self.lines[0])

    def test_none(self) -> None:
        """A policy that demands nothing is kept like others."""
        self.announce("1", "none")

        self.assertIs(self.mode(), Mode.NONE)
        self.assertIs(self.mode(CHECK_SECONDS), Mode.NONE)
        self.assertEqual(len(self.fetched), 1)

    def test_many_domains(self) -> None:
        """Those that were asked about long ago are forgotten, not all kept."""
        for number in range(10_500):
            self.find(domain=f"d{number}.test")

        self.assertLessEqual(len(self.cache._known), 10_000)
        self.assertEqual(self.find(domain="d10499.test").policy, None)

    def test_large(self) -> None:
        """A large policy is not held in memory, but is found each time."""
        self.files[DOMAIN] = policy_file() + b"x: " + b"y" * 60_000

        for _ in range(3):
            self.assertIs(self.mode(1), Mode.ENFORCE)

        self.assertEqual(self.cache._known, {})
        self.assertEqual(len(self.fetched), 1)


class DeadNameServerTests(TestCase):
    """A name server that takes questions and says nothing."""

    timeout = 30

    async def test_asked_twice(self) -> None:
        """Each question has its own limit, whatever the resolver's are."""
        self.patch(sts_cache, "QUESTION_SECONDS", 0.05)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.setblocking(False)
            cache = PolicyCache(
                resolver=Resolver(reactor, [silent.getsockname()], timeout=60.0),
                reactor=reactor,  # type: ignore[arg-type]
                fetch=lambda _domain: Deferred(),
                hints=None,
                clock=lambda: 1000.0,
                log=self.fail,
            )
            for _ in range(2):
                finding = await cache.find(DOMAIN)

                self.assertEqual((finding.policy, finding.fault), (None, ""))
            asked = [silent.recv(512), silent.recv(512)]
            self.assertRaises(BlockingIOError, silent.recv, 512)

        self.assertTrue(all(b"_mta-sts" in question for question in asked))


class BackOffTests(CacheCase):
    """Policy hosts that fail are left in peace."""

    def setUp(self) -> None:
        super().setUp()
        self.files[DOMAIN] = FAULT
        self.find()

    def test_five_minutes(self) -> None:
        """There is no other attempt for five minutes, then for ten."""
        self.find(61)
        finding = self.find(230)
        self.assertEqual(len(self.fetched), 1)
        self.assertEqual(finding.fault, "no certificate")

        self.find(61)
        self.assertEqual(len(self.fetched), 2)
        self.find(590)
        self.assertEqual(len(self.fetched), 2)
        self.find(61)
        self.assertEqual(len(self.fetched), 3)

    def test_over_a_restart(self) -> None:
        """Another process knows of the failure."""
        self.cache = self.new_cache()
        self.find()

        self.assertEqual(len(self.fetched), 1)

    def test_at_most_an_hour(self) -> None:
        """However often it failed, there is an attempt each hour."""
        for _ in range(20):
            self.find(3601)
        self.assertEqual(len(self.fetched), 21)

    def test_other_id(self) -> None:
        """A new id is worth an attempt at once."""
        self.announce("2")

        self.assertIs(self.mode(CHECK_SECONDS), Mode.ENFORCE)
