"""When an smtp transport asks for MTA-STS policies, and when it renews them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError, SpoolError
from mta.expand.context import Context, Site
from mta.host import Answer, Host, Outcome
from mta.message import Message
from mta.testing import FakeResolver, MemoryLogs, PlainLanguage, result_of
from mta.tls.policy import ClientTLSPolicy
from mta.tls.tlsa import TLSA
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_sts import PublishedPolicies
from tests.transports.test_smtp_sts import DOMAIN, HOST, OTHER, settings


class AppliedCase(SynchronousTestCase):
    """A transport whose DNS and time are a test's."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.resolver = FakeResolver()
        self.logs = MemoryLogs()
        self.site = Site(
            resolver=self.resolver, logs=self.logs, clock=self.clock.seconds
        )
        self.context = Context(self.site, message=Message("1abcde-00000000001-0001"))

    def policies(self, **options: str) -> PublishedPolicies:
        """Return the policies of a transport with options."""
        driver = SMTPTransport.with_texts(
            options, language=PlainLanguage(), name="remote_smtp"
        )
        driver.attach(reactor=self.clock, thread_pool=None)
        self.addCleanup(driver._published.close)
        return driver._published

    def demanded(self, host: Host = HOST, **options: str) -> HostSettings:
        """Return how a host is spoken to."""
        self.used = self.policies(**options)
        return result_of(self.used.demanded(settings(host), self.context))


class ApplicationTests(AppliedCase):
    """When the DNS is asked for a policy."""

    def test_asked(self) -> None:
        """One question is asked for each domain, and nothing changes without one."""
        self.assertEqual(self.demanded(), settings())
        for _ in range(3):
            result_of(self.used.demanded(settings(), self.context))

        self.assertEqual(self.resolver.asked, [(f"_mta-sts.{DOMAIN}", "TXT")])

    def test_not_asked(self) -> None:
        """None is asked where no policy matters."""
        self.demanded(Host("192.0.2.1", "192.0.2.1"))
        self.demanded(hosts_mta_sts="")
        self.demanded(hosts_mta_sts="! mx.example.test : *")
        self.demanded(protocol="lmtp")
        assert self.context.message is not None
        self.context.message.tls_optional = True
        self.demanded()

        self.assertEqual(self.resolver.asked, [])

    def test_dane(self) -> None:
        """Nor where TLSA records say what the host's certificate must be."""
        record = TLSA(3, 1, 1, bytes(32))
        wanted = settings(dane=(record,), dane_names=(HOST.name,))

        found = result_of(self.policies().demanded(wanted, self.context))

        self.assertIs(found, wanted)
        self.assertEqual(self.resolver.asked, [])

    def test_listed(self) -> None:
        """Hosts of the list alone are held against policies."""
        self.demanded(hosts_mta_sts="*.example.test")
        self.demanded(OTHER, hosts_mta_sts="*.example.test")

        self.assertEqual(len(self.resolver.asked), 1)

    def test_no_resolver(self) -> None:
        """Without a DNS there are no policies."""
        self.site.resolver = None

        self.assertEqual(self.demanded(), settings())

    def test_not_to_be_had(self) -> None:
        """A policy that cannot be had is noted, and changes nothing else."""
        self.resolver.records[f"_mta-sts.{DOMAIN}", "TXT"] = [b"v=STSv1; id=1"]

        found = self.demanded()

        self.assertEqual(found.policy, ClientTLSPolicy())
        self.assertEqual(found.sts.result_type, "sts-policy-fetch-error")
        self.assertEqual(
            self.logs.lines,
            [
                "MTA-STS policy of example.test cannot be had: "
                "mta-sts.example.test: no IP address"
            ],
        )


class RoundTests(AppliedCase):
    """Policies are renewed while the process lives."""

    def test_every_hour(self) -> None:
        """There is a round each hour, and none after the end."""
        self.demanded()
        rounds = []

        async def refresh(limit: int) -> int:
            rounds.append(limit)
            return 0

        assert self.used._known is not None
        self.used._known.refresh = refresh  # type: ignore[method-assign]
        self.clock.advance(3599)
        self.assertEqual(rounds, [])
        self.clock.advance(1)
        self.clock.advance(3600)
        self.assertEqual(rounds, [50, 50])
        self.used.close()
        self.clock.advance(36000)
        self.assertEqual(rounds, [50, 50])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_hints(self) -> None:
        """A round that fails is logged; the next one is made nevertheless."""

        class Broken:
            def find(self, kind: str, key: str) -> Any:
                if rounds:
                    raise SpoolError("disk I/O error")
                return None

            def put(self, kind: str, key: str, value: Any, expires: float) -> None:
                """Forget it."""

            def items(self, kind: str) -> list[tuple[str, Any]]:
                rounds.append(kind)
                text = "version: STSv1\nmode: testing\nmx: a.test\nmax_age: 86400"
                value = {"id": "1", "text": text, "fetched": 0, "used": 0}
                return [(DOMAIN, {**value, "fetched": -50000})]

        rounds: list[str] = []
        self.site.hints = Broken()
        self.demanded()
        self.clock.advance(3600)
        self.clock.advance(3600)

        self.assertEqual(len(rounds), 2)
        self.assertIn("MTA-STS policies not renewed: ", self.logs.lines[0])

    def test_slow_round(self) -> None:
        """A round waits for the one before it."""
        self.demanded()
        rounds: list[Deferred[int]] = []

        async def refresh(limit: int) -> int:
            rounds.append(Deferred())
            return await rounds[-1]

        assert self.used._known is not None
        self.used._known.refresh = refresh  # type: ignore[method-assign]
        self.clock.pump([3600] * 3)
        self.assertEqual(len(rounds), 1)
        rounds[0].callback(0)
        self.clock.advance(3600)
        self.assertEqual(len(rounds), 2)
        rounds[1].callback(0)

    def test_ended(self) -> None:
        """A round that is under way ends with the process, and is no trouble."""
        self.demanded()

        async def refresh(limit: int) -> int:
            return await Deferred()

        assert self.used._known is not None
        self.used._known.refresh = refresh  # type: ignore[method-assign]
        self.clock.advance(3600)
        self.used.close()

        self.assertEqual(self.logs.lines, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_defect(self) -> None:
        """A defect in a round is logged, and the next one is made."""
        self.demanded()
        rounds = []

        async def refresh(limit: int) -> int:
            rounds.append(limit)
            raise ZeroDivisionError("defect")

        assert self.used._known is not None
        self.used._known.refresh = refresh  # type: ignore[method-assign]
        self.clock.pump([3600, 3600])

        self.assertEqual(len(rounds), 2)
        self.assertIn("not renewed: defect", self.logs.lines[0])


class OptionTests(SynchronousTestCase):
    """Options that cannot be."""

    def test_port(self) -> None:
        """A port is a number that ports have."""
        for text in ("0", "65536", "https", "-1", ""):
            with self.assertRaises(ConfigurationError):
                SMTPTransport.with_texts(
                    {"mta_sts_port": text}, language=PlainLanguage(), name="x"
                )


class UnansweredTests(AppliedCase):
    """A DNS that does not answer."""

    def test_delivered(self) -> None:
        """Without a known policy it is as if there were none."""
        self.resolver.records[f"_mta-sts.{DOMAIN}", "TXT"] = Answer(Outcome.AGAIN)

        self.assertEqual(self.demanded(), settings())
