"""Deliveries to hosts with TLSA records, in real handshakes on the loopback."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from mta.expand.registry import Language
from mta.host import Answer, Host
from mta.host import Outcome as Found
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, FakeResolver, MemoryLogs
from mta.tls.server import ServerTLS, server_context
from mta.tls.tlsa import TLSA
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_problems import DNS_DEFER, TLS_FAILURE, TLS_REQUIRED
from tests.smtp.fake_server import KEYWORDS
from tests.tls.chains import Certified, Family, certify
from tests.tls.proofs import DAY
from tests.transports.delivering import batch_of
from tests.transports.relaying import SENDER, smtp_transport
from tests.transports.requiring import MailHost, _HostProtocol

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
FAMILY = Family(now=NOW)
STRANGERS = Family(now=NOW)
LANGUAGE = Language.load()


class SessionCase(TestCase):
    """Delivers to hosts whose certificates no authority of ours vouches for."""

    def setUp(self) -> None:
        self.resolver = FakeResolver()
        self.logs = MemoryLogs()
        self.hints = FakeHints()

    def serve(
        self, name: str, *chain: Certified, secure: bool = True, **facts: Any
    ) -> MailHost:
        """Let a host listen that sends a chain, its own certificate first."""
        context = server_context()
        own, *others = chain or (FAMILY.host, FAMILY.middle)
        context.use_certificate(own.certificate)
        context.use_privatekey(own.key)
        for other in others:
            context.add_extra_chain_cert(other.certificate)
        mail_host = MailHost(name, secure=secure, **facts)
        mail_host.tls = ServerTLS(context)
        self.server_names: list[bytes | None] = []
        context.set_tlsext_servername_callback(self._note_name)
        factory: Any = Factory.forProtocol(_HostProtocol)
        factory.noisy, factory.mail_host = False, mail_host
        listening: Any = reactor
        port = listening.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        mail_host.host = Host(name, "127.0.0.1", number, 10, secure)
        answer = Answer(Found.FOUND, ("127.0.0.1",), secure)
        self.resolver.records[name, "A"] = answer
        return mail_host

    def _note_name(self, connection: SSL.Connection) -> None:
        self.server_names.append(connection.get_servername())

    def publish(self, host: MailHost, *records: TLSA, secure: bool = True) -> None:
        """Put a host's TLSA records into the DNS."""
        name = f"_{host.host.port}._tcp.{host.name}"
        self.resolver.records[name, "TLSA"] = Answer(Found.FOUND, records, secure)

    async def deliver(
        self,
        *hosts: MailHost,
        driver: SMTPTransport | None = None,
        requiretls: bool = False,
        **options: str,
    ) -> Outcome:
        """Deliver a message to the hosts and return what became of it."""
        options.setdefault("helo_data", "me.example")
        made = driver or smtp_transport(reactor, language=LANGUAGE, **options)
        batch = batch_of(sender=SENDER, hosts=[host.host for host in hosts])
        batch.message.requiretls = requiretls
        batch.hints = self.hints
        batch.context.site.logs = self.logs
        batch.context.site.resolver = self.resolver
        [outcome] = await made.deliver(batch)
        if driver is None:
            await made.close()
        return outcome

    def assert_waits(self, outcome: Outcome, number: int, text: str) -> None:
        """Check that the message waits, and why."""
        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual(outcome.error, number, outcome.text)
        self.assertIn(text, outcome.text)

    def assert_unsent(self, *hosts: MailHost) -> None:
        """Check that no host learnt of the message."""
        for host in hosts:
            self.assertNotIn("MAIL", " ".join(host.fake.commands))
            self.assertEqual(host.fake.messages, [])

    def assert_told(self, host: MailHost, text: str) -> None:
        """Check that the log says that a host was not what its records say."""
        start = f"DANE attempt failed; TLS connection to {host.host}: "
        lines = [line for line in self.logs.lines if line.startswith(start)]
        self.assertEqual(len(lines), 1, self.logs.lines)
        self.assertIn(text, lines[0])


class MatchTests(SessionCase):
    async def test_delivered(self) -> None:
        """A host that its records vouch for gets mail, and the log says by what."""
        for record in (FAMILY.host.record(3), FAMILY.middle.record(2)):
            host = self.serve("mx.example")
            self.publish(host, record)

            outcome = await self.deliver(host)

            self.assertIs(outcome.result, Result.DELIVERED, outcome)
            self.assertIn("CV=dane", outcome.log_fields)
            self.assertEqual(len(host.fake.messages), 1)
            self.assertEqual(self.server_names, [b"mx.example"])

    async def test_self_signed(self) -> None:
        """One that signed itself, for another name and long ago, is good enough."""
        old = certify("old.example", begin=NOW - 9 * DAY, end=NOW - DAY)
        host = self.serve("mx.example", old)
        self.publish(host, old.record(3))

        outcome = await self.deliver(host, hosts_require_dane="*")

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("CV=dane", outcome.log_fields)

    async def test_variables(self) -> None:
        """Variables tell of it."""
        text = "X-DANE: $tls_out_dane $tls_out_tlsa_usage $tls_out_sni"
        host = self.serve("mx.example")
        for records, expected in (
            ((FAMILY.host.record(3),), b"X-DANE: yes 8 mx.example"),
            ((FAMILY.middle.record(2),), b"X-DANE: yes 4 mx.example"),
            (
                (FAMILY.middle.record(2), FAMILY.host.record(3)),
                b"X-DANE: yes 12 mx.example",
            ),
            ((), b"X-DANE: no 0 \r\n"),
        ):
            self.publish(host, *records, secure=bool(records))

            await self.deliver(host, headers_add=text)

            self.assertIn(expected, host.fake.messages[-1])

    async def test_connection_is_kept(self) -> None:
        """Messages share a connection as long as the records are the same."""
        host = self.serve("mx.example")
        driver = smtp_transport(reactor, language=LANGUAGE, helo_data="me.example")
        self.addCleanup(driver.close)
        own, issuer = FAMILY.host.record(3), FAMILY.middle.record(2)
        for records, connections in (
            ((own, issuer), 1),
            ((issuer, own), 1),
            ((own,), 2),
            ((STRANGERS.host.record(3),), 3),
        ):
            self.publish(host, *records)

            outcome = await self.deliver(host, driver=driver)

            self.assertEqual(host.fake.connections, connections)
        self.assert_waits(outcome, TLS_FAILURE, "no TLSA record matches")
        await driver.close()

    async def test_requiretls(self) -> None:
        """A message that requires TLS may go where records vouch for the host."""
        host = self.serve("mx.example")
        self.publish(host, FAMILY.host.record(3))

        outcome = await self.deliver(host, requiretls=True)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_nothing_published(self) -> None:
        """A host without records is treated as before."""
        host = self.serve("mx.example")

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("CV=no", outcome.log_fields)


class MismatchTests(SessionCase):
    async def test_mismatch(self) -> None:
        """A host that is not who its records say gets nothing, least of all in clear."""
        for record, text in (
            (STRANGERS.host.record(3), "no TLSA record matches"),
            (STRANGERS.middle.record(2), "no TLSA record matches"),
            (FAMILY.middle.record(3), "no TLSA record matches"),
        ):
            self.logs = MemoryLogs()
            host = self.serve("mx.example")
            self.publish(host, record)

            outcome = await self.deliver(host, tls_tempfail_tryclear="true")

            self.assert_waits(outcome, TLS_FAILURE, f"TLS session: {text}")
            self.assert_told(host, text)
            self.assert_unsent(host)
            self.assertEqual(host.fake.connections, 1)

    async def test_other_name(self) -> None:
        """A certificate of the right authority for another host is refused."""
        host = self.serve("other.example")
        self.publish(host, FAMILY.middle.record(2))

        outcome = await self.deliver(host)

        self.assert_waits(outcome, TLS_FAILURE, "certificate name mismatch")
        self.assert_unsent(host)

    async def test_next_host(self) -> None:
        """The next host is tried."""
        bad, good = self.serve("a.example"), self.serve("b.example")
        self.publish(bad, STRANGERS.host.record(3))
        self.publish(good, FAMILY.host.record(3))

        outcome = await self.deliver(bad, good)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertEqual(outcome.host, good.host)
        self.assert_told(bad, "no TLSA record matches")
        self.assert_unsent(bad)
        self.assertEqual(len(self.hints.failures), 1)

    async def test_no_tls(self) -> None:
        """A host that has records and offers no TLS gets nothing."""
        host = self.serve("mx.example", clear=KEYWORDS)
        self.publish(host, FAMILY.host.record(3))

        outcome = await self.deliver(host)

        text = "a TLS session is required, but the server did not offer TLS support"
        self.assert_waits(outcome, TLS_REQUIRED, text)
        self.assert_told(host, text)
        self.assert_unsent(host)

    async def test_tls_refused(self) -> None:
        """Neither does one that refuses to begin it."""
        for reply in (b"454 not now\r\n", b"502 never\r\n"):
            self.logs = MemoryLogs()
            host = self.serve("mx.example")
            host.fake.replies["STARTTLS"] = reply
            self.publish(host, FAMILY.host.record(3))

            outcome = await self.deliver(host)

            self.assertIs(outcome.result, Result.DEFERRED)
            self.assert_unsent(host)

    async def test_unusable(self) -> None:
        """Where no record is of use TLS is demanded, and any certificate will do."""
        unusable = TLSA(3, 1, 1, b"short")
        clear = self.serve("a.example", clear=KEYWORDS)
        secret = self.serve("b.example")
        self.publish(clear, unusable)
        self.publish(secret, unusable)

        outcome = await self.deliver(clear, secret)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertEqual(outcome.host, secret.host)
        self.assertIn("CV=no", outcome.log_fields)
        self.assert_unsent(clear)


class LookUpTests(SessionCase):
    async def test_not_now(self) -> None:
        """Where the records cannot be had the host is not connected to."""
        host, other = self.serve("mx.example"), self.serve("b.example")
        name = f"_{host.host.port}._tcp.mx.example"
        self.resolver.records[name, "TLSA"] = Found.AGAIN

        waiting = await self.deliver(host)
        delivered = await self.deliver(host, other)

        self.assert_waits(waiting, DNS_DEFER, "DANE error: tlsa lookup DEFER")
        self.assertEqual(host.fake.connections, 0)
        self.assertIs(delivered.result, Result.DELIVERED)

    async def test_required(self) -> None:
        """Where records must be there and are not, the message waits."""
        host = self.serve("mx.example")
        insecure = self.serve("b.example", secure=False)

        none = await self.deliver(host, hosts_require_dane="*")
        insecurely = await self.deliver(insecure, hosts_require_dane="*")

        self.assert_waits(none, DNS_DEFER, "DANE error: tlsa lookup FAIL")
        text = "DANE error: b.example lookup not DNSSEC"
        self.assert_waits(insecurely, DNS_DEFER, text)
        self.assertEqual((host.fake.connections, insecure.fake.connections), (0, 0))

    async def test_secure_alias(self) -> None:
        """Records of an alias hold where a secure MX record names it, then alone."""
        host = self.serve("mx.example", secure=False)
        self.publish(host, FAMILY.host.record(3))
        records = self.resolver.records
        records["mx.example", "A"] = Answer(
            Found.FOUND, ("127.0.0.1",), name="real.example"
        )
        records["mx.example", "CNAME"] = Answer(Found.FOUND, ("real.example",), True)
        driver = smtp_transport(reactor, language=LANGUAGE, helo_data="me.example")
        fields = []
        for mx_secure in (False, True):
            host.host = replace(host.host, mx_secure=mx_secure)
            outcome = await self.deliver(host, driver=driver)
            fields.append([f for f in outcome.log_fields if f.startswith("CV=")])
        await driver.close()

        self.assertEqual([["CV=no"], ["CV=dane"]], fields)

    async def test_named_by_transport(self) -> None:
        """Hosts that the transport names itself are under the same rule."""
        host = self.serve("mx.example")
        self.publish(host, FAMILY.host.record(3))
        options = {
            "hosts": f"<; mx.example:{host.host.port}",
            "hosts_override": "true",
            "allow_localhost": "true",
        }
        self.resolver.records["open.example", "A"] = ["127.0.0.1"]

        good = await self.deliver(host, **options)
        unused = await self.deliver(host, dnssec_request_domains="", **options)
        demanded = await self.deliver(host, dnssec_require_domains="*", **options)
        options["hosts"] = f"<; open.example:{host.host.port}"
        insecure = await self.deliver(host, dnssec_require_domains="*", **options)

        self.assertIn("CV=dane", good.log_fields)
        self.assertIn("CV=no", unused.log_fields)
        self.assertIn("CV=dane", demanded.log_fields)
        self.assert_waits(
            insecure, DNS_DEFER, "lookup for open.example done insecurely"
        )
