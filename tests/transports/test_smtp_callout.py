"""What a transport demands of hosts that are only asked."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred

from mta.callout import Callout
from mta.delivery.callout import Callouts
from mta.delivery.callout_options import CalloutOptions
from mta.delivery.routing import address_to_route
from mta.expand.registry import Language
from mta.message import Recipient
from mta.testing import result_of
from mta.tls.policy import Start
from mta.transports.smtp_callout import Probing
from mta.transports.smtp_link import HostSettings
from tests.smtp.fake_server import KEYWORDS
from tests.transports.relaying import HOST_A
from tests.transports.test_smtp_link import TLSCase


class Case(TLSCase):
    def ask(self, callout: Callout | None = None, **options: str) -> str:
        """Call the host A out with options, and return outcome and log text."""
        self.a.commands.clear()
        transport = self.transport(language=Language.load(), **options)
        batch = self.batch("joe@d.example")
        batch.context.message = None
        address = address_to_route(
            batch.addresses[0].address, Recipient(batch.addresses[0].address)
        )
        address.transport, address.hosts = "remote_smtp", [HOST_A]
        callouts = Callouts(
            transports={"remote_smtp": transport},
            options=CalloutOptions.with_texts({}, language=Language.load()),
            reactor=self.network,
        )
        result = Deferred.fromCoroutine(
            callouts.ask(address, batch.context, callout or Callout())
        )
        self.network.pump()
        found = self.successResultOf(result)
        assert found is not None
        return f"{found.outcome} {found.text}".strip()


class ProbingTests(Case):
    def test_encrypted(self) -> None:
        """TLS is begun where it is offered, and EHLO comes again inside."""
        self.assertEqual("ok", self.ask())

        hello = "EHLO mx.example"
        self.assertEqual(
            [hello, "STARTTLS", hello, "MAIL FROM:<>"], self.a.commands[:4]
        )

    def test_avoided(self) -> None:
        """hosts_verify_avoid_tls keeps callouts from beginning it, deliveries not."""
        self.assertEqual("ok", self.ask(hosts_verify_avoid_tls="*"))
        self.assertNotIn("STARTTLS", self.a.commands)

        self.one(hosts=(HOST_A,))
        self.assertIn("STARTTLS", self.a.commands)

    def test_others(self) -> None:
        """Only the hosts in the list are meant."""
        self.assertEqual("ok", self.ask(hosts_verify_avoid_tls="192.0.2.77"))
        self.assertIn("STARTTLS", self.a.commands)

    def test_demand(self) -> None:
        """Where TLS is demanded nothing avoids it, and nobody is asked in clear."""
        self.a.keywords = KEYWORDS
        for name in ("hosts_require_tls", "hosts_require_ocsp"):
            with self.subTest(name):
                options = {name: "*", "hosts_verify_avoid_tls": "*"}

                found = self.ask(**options)

                self.assertTrue(found.startswith("defer a.example"), found)
                self.assertIn("a TLS session is required", found)
                self.assertNotIn("MAIL FROM:<>", self.a.commands)

    def test_failed_handshake(self) -> None:
        """TLS that fails leads to clear text only where deliveries may go so."""
        self.network.on_tls = self.break_off

        self.assertEqual("ok", self.ask())
        self.assertFalse(self.is_encrypted)
        for options in ({"hosts_require_tls": "*"}, {"tls_tempfail_tryclear": "no"}):
            with self.subTest(options):
                self.assertTrue(self.ask(**options).startswith("defer"))
                self.assertNotIn("MAIL FROM:<>", self.a.commands)

    def test_dane_demanded(self) -> None:
        """A host that must have TLSA records, and has none, is not asked."""
        found = self.ask(hosts_require_dane="*", hosts_verify_avoid_tls="*")

        self.assertIn("DANE error", found)
        self.assertEqual([], self.a.commands)

    def test_published_demand(self) -> None:
        """Nor does the list avoid what a host's side demands, as a policy does."""
        driver = self.transport(language=Language.load(), hosts_verify_avoid_tls="*")
        context = self.batch().context

        async def published(settings: HostSettings, _: object) -> HostSettings:
            policy = replace(settings.policy, start=Start.REQUIRED)
            return replace(settings, policy=policy)

        probing = replace(driver.probing(context), published=published)

        self.assertIs(
            Start.NEVER,
            result_of(driver.probing(context).demanded(HOST_A, context)).policy.start,
        )
        self.assertIs(
            Start.REQUIRED, result_of(probing.demanded(HOST_A, context)).policy.start
        )

    def test_no_hints(self) -> None:
        """Retry times are for deliveries: a callout neither reads nor writes them."""
        self.network.servers.clear()

        self.assertTrue(self.ask().startswith("defer"))
        self.assertEqual([], self.failed_keys)

    def test_probing(self) -> None:
        """A transport says how it probes, with the connections it opens anyway."""
        driver = self.transport()
        context = self.batch().context

        first, second = driver.probing(context), driver.probing(context)

        self.assertIsInstance(first, Probing)
        self.assertIs(first.opener, second.opener)
