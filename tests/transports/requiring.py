"""Hosts on the loopback, for messages that ask something of TLS themselves."""

from __future__ import annotations

from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mta.address import Address
from mta.host import Host
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, FakeResolver, MemoryLogs
from mta.tls.server import ServerTLS, server_context
from mta.tls.sts import Policy
from mta.tls.sts_cache import Finding
from mta.transports.smtp import SMTPTransport
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.transports.delivering import batch_of
from tests.transports.relaying import SENDER, smtp_transport

INSIDE = ("REQUIRETLS", *KEYWORDS)


class MailHost:
    """A host on the loopback: what it offers in clear and inside TLS, and its name."""

    def __init__(
        self,
        name: str,
        *,
        secure: bool = True,
        clear: tuple[str, ...] = ("STARTTLS", *KEYWORDS),
        inside: tuple[str, ...] = INSIDE,
        certified: str = "",
        preference: int = 10,
        mx_secure: bool = False,
    ) -> None:
        self.fake = FakeServer(clear, STARTTLS=b"220 go\r\n")
        self.name = name
        self.certified = certified or name
        self.clear, self.inside = clear, inside
        self.secure, self.preference = secure, preference
        self.mx_secure = mx_secure
        self.tls: Any = None
        self.domain = "mail.example" if preference >= 0 else ""
        self.host = Host(name, "127.0.0.1", 1, preference, secure)

    @property
    def mail_command(self) -> str:
        """The MAIL command of the last transaction."""
        [*_, last] = [c for c in self.fake.commands if c.startswith("MAIL")]
        return last


class _HostProtocol(Protocol):
    def connectionMade(self) -> None:
        self.mail_host: MailHost = self.factory.mail_host  # type: ignore[union-attr]
        self.mail_host.fake.keywords = self.mail_host.clear
        self.mail_host.fake.begin()
        self.mail_host.fake.connections += 1
        self.transport.write(b"220 fake\r\n")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        mail_host = self.mail_host
        transport: Any = self.transport
        answer, is_over = mail_host.fake.feed(data)
        transport.write(answer)
        if data == b"STARTTLS\r\n" and answer.startswith(b"220"):
            transport.startTLS(mail_host.tls)
            mail_host.fake.keywords = mail_host.inside
        if is_over:
            transport.loseConnection()


class KnownPolicy:
    """What is known of every domain's MTA-STS policy."""

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy

    async def find(self, domain: str) -> Finding:
        """Return the policy."""
        return Finding(domain, self._policy)

    def close(self) -> None:
        """There is nothing to end."""


class RequireTLSCase(TestCase):
    """Delivers to hosts on the loopback, whose certificates are of one authority."""

    def setUp(self) -> None:
        self.authority = trustme.CA()
        self.trusted = self.mktemp()
        self.authority.cert_pem.write_to_path(self.trusted)
        self.logs = MemoryLogs()
        self.hints = FakeHints()
        self.resolver = FakeResolver()
        self.policy: Policy | None = None

    def serve(self, mail_host: MailHost) -> MailHost:
        """Let a host listen."""
        context = server_context()
        self.authority.issue_cert(mail_host.certified).configure_cert(context)
        mail_host.tls = ServerTLS(context)
        factory: Any = Factory.forProtocol(_HostProtocol)
        factory.noisy, factory.mail_host = False, mail_host
        listening: Any = reactor
        port = listening.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        mail_host.host = Host(
            mail_host.name,
            "127.0.0.1",
            port.getHost().port,
            mail_host.preference,
            mail_host.secure,
            mail_host.domain,
            mail_host.mx_secure,
        )
        return mail_host

    def transport(self, **options: str) -> SMTPTransport:
        """Return a transport that trusts the authority."""
        standard = {"helo_data": "me.example", "tls_verify_certificates": self.trusted}
        driver = smtp_transport(reactor, **{**standard, **options})
        driver._published._known = KnownPolicy(self.policy)  # type: ignore[assignment]
        return driver

    async def deliver(
        self,
        *hosts: MailHost,
        driver: SMTPTransport | None = None,
        sender: Address = SENDER,
        requiretls: bool = True,
        tls_optional: bool = False,
        **options: str,
    ) -> Outcome:
        """Deliver a message to the hosts and return what became of it."""
        once = driver is None
        driver = driver or self.transport(**options)
        batch = batch_of(sender=sender, hosts=[host.host for host in hosts])
        batch.message.requiretls = requiretls
        batch.message.tls_optional = tls_optional
        batch.hints = self.hints
        batch.context.site.logs = self.logs
        batch.context.site.resolver = self.resolver
        [outcome] = await driver.deliver(batch)
        if once:
            await driver.close()
        return outcome

    def assert_failed(self, outcome: Outcome, status: str, text: str) -> None:
        """Check that the message fails for good."""
        self.assertIs(outcome.result, Result.FAILED, outcome)
        self.assertEqual(status, outcome.status)
        self.assertIn(text, outcome.text)

    def assert_unsent(self, *hosts: MailHost) -> None:
        """Check that no host learnt of the message."""
        for host in hosts:
            said = " ".join(host.fake.commands)
            self.assertNotIn("MAIL", said)
            self.assertNotIn("RCPT", said)
            self.assertEqual([], host.fake.messages)
