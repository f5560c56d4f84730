"""PROXY headers before sessions through an egress proxy."""

from __future__ import annotations

from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mta.errors import ConfigurationError, TemporaryFailure
from mta.host import Host
from mta.proxy.header import Header, HeaderReader
from mta.proxy.result import Endpoint, ProxyStatus
from mta.recipient import Outcome, Result
from mta.taint import Tainted
from mta.testing import FakeHints, MemoryLogs, result_of
from mta.tls.server import ServerTLS, server_context
from mta.transports.smtp_proxy import Announcement, announcement_for
from tests.smtp.fake_server import FakeServer
from tests.transports.delivering import batch_of
from tests.transports.relaying import HOST_A, SENDER, RelayCase, smtp_transport

OURS = Endpoint("127.0.0.1", 40000)
THEIRS = Endpoint("192.0.2.1", 25)


class BehindHeader(FakeServer):
    """A server that keeps the header before each session."""

    def __init__(self, **replies: Any) -> None:
        self.headers: list[Header] = []
        super().__init__(**replies)

    def begin(self) -> None:
        super().begin()
        self.reader: HeaderReader | None = HeaderReader()

    def feed(self, octets: bytes) -> tuple[bytes, bool]:
        if self.reader is not None:
            header = self.reader.feed(octets)
            if header is None:
                return b"", False
            self.headers.append(header)
            octets, self.reader = self.reader.rest, None
        return super().feed(octets)


class HeaderTests(RelayCase):
    """What a host gets before the session."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve(HOST_A, BehindHeader())

    def send(self, **values: str) -> Outcome:
        """Deliver a message to host A."""
        batch = self.batch(hosts=(HOST_A,))
        batch.context.values.update(values)
        [outcome] = self.successResultOf(self.begin(batch))
        return outcome

    def test_own_ends(self) -> None:
        """By default the header names the ends of the connection."""
        for version in (1, 2):
            self.transport(proxy_protocol=f"v{version}")
            self.assert_delivered(self.send())
            header = self.server.headers[-1]
            self.assertEqual(
                (header.version, header.status), (version, ProxyStatus.PROXIED)
            )
            self.assertEqual((header.source, header.destination), (OURS, THEIRS))

    def test_source(self) -> None:
        """proxy_source is expanded and names another client."""
        self.transport(proxy_protocol="v2", proxy_source="[$client]:$number")

        self.assert_delivered(self.send(client=Tainted("2001:db8::7"), number="4660"))

        header = self.server.headers[-1]
        self.assertEqual(header.source, Endpoint("2001:db8::7", 4660))
        self.assertEqual(header.destination, THEIRS)

    def test_nothing(self) -> None:
        """Without the option nothing comes before EHLO."""
        self.serve(HOST_A, FakeServer())
        self.transport()

        self.assert_delivered(self.send())

        self.assertTrue(self.network.connections[-1].written.startswith(b"EHLO "))

    def test_kept_connections(self) -> None:
        """A kept connection is used for the same client only."""
        self.transport(proxy_protocol="v1", proxy_source="$client")
        for client in ("192.0.2.7", "192.0.2.7", "192.0.2.8"):
            self.assert_delivered(self.send(client=client))

        sources = [header.source for header in self.server.headers]
        self.assertEqual(
            sources, [Endpoint("192.0.2.7", 40000), Endpoint("192.0.2.8", 40000)]
        )
        self.assertEqual(len(self.server.messages), 3)

    def test_unusable_source(self) -> None:
        """A source that is no address keeps the message; nobody is connected to."""
        self.transport(proxy_protocol="v1", proxy_source="$client")

        outcome = self.send(client="client.example")

        text = (
            'proxy_source: "client.example" is not an IP address with or without a port'
        )
        self.assert_deferred(outcome, -1, text)
        self.assertEqual(self.network.attempts, [])


class OptionTests(RelayCase):
    """What the options take."""

    def announced(self, source: str) -> Announcement | None:
        """Return what is announced for a source."""
        driver = self.transport(proxy_protocol="v1", proxy_source="$source")
        context = self.batch().context
        context.values["source"] = source
        return result_of(announcement_for(driver, context))

    def test_sources(self) -> None:
        """An address may have a port; what is missing is this host's own."""
        for text, address, port in (
            ("192.0.2.7", "192.0.2.7", 0),
            ("192.0.2.7:4660", "192.0.2.7", 4660),
            ("[192.0.2.7]:4660", "192.0.2.7", 4660),
            ("[192.0.2.7]:", "192.0.2.7", 0),
            ("[192.0.2.7]", "192.0.2.7", 0),
            (" 2001:DB8::7 ", "2001:db8::7", 0),
            ("[2001:db8::7]:65535", "2001:db8::7", 65535),
            ("::ffff:192.0.2.7", "192.0.2.7", 0),
            ("", "", 0),
            ("[]:", "", 0),
            ("[]:0", "", 0),
        ):
            self.assertEqual(self.announced(text), Announcement(1, address, port), text)

    def test_wrong_sources(self) -> None:
        """Anything else is an error."""
        for text in (
            "a",
            "192.0.2.0/24",
            "192.0.2.7:x",
            "192.0.2.7:65536",
            "192.0.2.7:99999999999999999999",
            "[192.0.2.7",
            "[192.0.2.7]4660",
            "[192.0.2.7]:-1",
            "[192.0.2.7]:\N{ARABIC-INDIC DIGIT ONE}",
            "192.0.2.7 4660",
            "192.0.2.7\r\nQUIT",
            "fe80::1%eth0",
            "[192.0.2.7]:00000099999",
        ):
            self.assertRaises(TemporaryFailure, self.announced, text)

    def test_wrong_version(self) -> None:
        """There are two versions."""
        for text in ("", "1", "v3", "yes"):
            self.assertRaises(ConfigurationError, self.transport, proxy_protocol=text)

    def test_source_alone(self) -> None:
        """A source without a version would be ignored, and is refused."""
        self.assertRaises(ConfigurationError, self.transport, proxy_source="192.0.2.7")


class _TLSServer(Protocol):
    """Takes a header, begins TLS at once, and then serves."""

    reader: HeaderReader | None

    def connectionMade(self) -> None:
        self.reader = HeaderReader()
        self.factory.fake.begin()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        fake, transport = self.factory.fake, self.transport  # type: ignore
        if self.reader is not None:
            header = self.reader.feed(data)
            if header is None:
                return
            rest, self.reader = self.reader.rest, None
            self.factory.headers.append(header)  # type: ignore[union-attr]
            transport.startTLS(self.factory.tls)  # type: ignore[union-attr]
            transport.write(b"220 fake\r\n")
            if rest:
                transport.protocol.dataReceived(rest)
            return
        answer, is_over = fake.feed(data)
        transport.write(answer)
        if is_over:
            transport.loseConnection()


class SocketTests(TestCase):
    """A header on a real connection."""

    async def test_tls_on_connect(self) -> None:
        """The header goes out before the handshake."""
        context = server_context()
        trustme.CA().issue_cert("mx.example").configure_cert(context)
        factory: Any = Factory.forProtocol(_TLSServer)
        factory.noisy = False
        factory.fake, factory.headers = FakeServer(), []
        factory.tls = ServerTLS(context)
        listening: Any = reactor.listenTCP(  # type: ignore[attr-defined]
            0, factory, interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        driver = smtp_transport(
            reactor, helo_data="me.example", protocol="smtps", proxy_protocol="v2"
        )
        batch = batch_of(sender=SENDER, hosts=[Host("mx.example", "127.0.0.1", port)])
        batch.hints = FakeHints()
        batch.context.site.logs = MemoryLogs()

        [outcome] = await driver.deliver(batch)
        await driver.close()

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("X=TLS1.3", outcome.log_fields[0])
        [header] = factory.headers
        self.assertEqual(header.source.ip_address, "127.0.0.1")
        self.assertEqual(header.destination, Endpoint("127.0.0.1", port))
