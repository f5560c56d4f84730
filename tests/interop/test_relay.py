"""The smtp transport against real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mta.host import Host
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, MemoryLogs
from tests.interop.peers import Dovecot, Exim, Peer, SMTPSink, wait_for
from tests.transports.delivering import Pieces, batch_of
from tests.transports.relaying import SENDER, smtp_transport

DOTS = b"..\r\n.\r\n..two\r\nl\xc3\xa4st"
LONG = b".a line that begins with a dot\r\n" * 40000


class RelayCase(TestCase):
    """Delivers to a peer through transports that are closed in the end."""

    timeout = 60

    def use(self, peer: Peer, **options: str) -> Any:
        """Use a peer, which is stopped after the test."""
        self.addCleanup(peer.stop)
        self.host = Host("peer.example", "127.0.0.1", peer.port)
        self.transport(**options)
        return peer

    def transport(self, **options: str) -> None:
        """Use a transport with options from now on."""
        options.setdefault("helo_data", "mx.example")
        self.driver = smtp_transport(reactor, **options)
        self.addCleanup(self.close, self.driver)

    def close(self, driver: Any) -> Any:
        """Close a transport after the test."""
        return Deferred.fromCoroutine(driver.close())

    async def deliver(self, *names: str, body: Any = DOTS) -> list[Outcome]:
        """Deliver a message and return the outcomes in the order of the names."""
        batch = batch_of(*names, sender=SENDER, hosts=[self.host], body=body)
        batch.message.sender = SENDER
        batch.hints = FakeHints()
        assert isinstance(batch.context.site.logs, MemoryLogs)
        self.logs = batch.context.site.logs
        found = await self.driver.deliver(batch)
        place = {id(address): n for n, address in enumerate(batch.addresses)}
        return sorted(found, key=lambda outcome: place[id(outcome.address)])

    def stored(self, maildir: Path, count: int) -> list[bytes]:
        """Return the messages of a Maildir once there are so many."""
        new = maildir / "new"
        wait_for(
            lambda: new.is_dir() and len(list(new.iterdir())) >= count, 10, str(new)
        )
        return [path.read_bytes() for path in new.iterdir()]

    def assert_stored(self, maildir: Path, body: bytes, count: int = 1) -> None:
        """Check that a Maildir has the content so many times, dots and all."""
        messages = self.stored(maildir, count)
        self.assertEqual(len(messages), count)
        for message in messages:
            found = message.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
            self.assertEqual(found.rstrip(b"\n"), body.replace(b"\r\n", b"\n").rstrip())


class SMTPSinkTests(RelayCase):
    async def test_messages(self) -> None:
        """Fifty messages go over one connection."""
        self.use(SMTPSink())

        outcomes = [(await self.deliver("a@x.example"))[0] for _ in range(50)]

        self.assertEqual({o.result for o in outcomes}, {Result.DELIVERED})
        self.assertEqual(sum(not o.reused_connection for o in outcomes), 1)

    async def test_refusals(self) -> None:
        """What it refuses at the end of the content waits."""
        self.use(SMTPSink("-r", "."))

        [outcome] = await self.deliver("a@x.example")

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(outcome.error, -46)

    async def test_disconnects(self) -> None:
        """A connection that ends after the content leaves the message waiting."""
        self.use(SMTPSink("-q", "."))

        [outcome] = await self.deliver("a@x.example")

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -18))

    async def test_without_extensions(self) -> None:
        """It may speak plain SMTP."""
        self.use(SMTPSink("-e"))

        outcomes = await self.deliver("a@x.example", "b@x.example", body=LONG)

        self.assertEqual({o.result for o in outcomes}, {Result.DELIVERED})


class EximTests(RelayCase):
    async def test_starttls(self) -> None:
        """Content arrives over STARTTLS as it is, by BDAT and by DATA."""
        extra = "tls_advertise_hosts = *"
        exim = self.use(Exim(extra=extra))

        [by_chunks] = await self.deliver("a@exim.test")
        self.transport(hosts_try_chunking="")
        [by_data] = await self.deliver("a@exim.test")

        for outcome, letters in ((by_chunks, ["K"]), (by_data, [])):
            self.assertIs(outcome.result, Result.DELIVERED, outcome)
            cipher, verified, *rest = outcome.log_fields
            self.assertTrue(cipher.startswith("X=TLS1.3:TLS_AES_"), cipher)
            self.assertEqual(verified, "CV=no")
            self.assertEqual(rest[:-1], letters)
        self.assert_stored(exim.maildir, DOTS, 2)
        self.assertIn("X=TLS", exim.log())

    async def test_long_content(self) -> None:
        """Content of more than a megabyte arrives whole, by BDAT and by DATA."""
        exim = self.use(Exim())
        await self.deliver("a@exim.test", body=Pieces(LONG, 7777))
        self.transport(hosts_try_chunking="", hosts_avoid_tls="*")

        [outcome] = await self.deliver("a@exim.test", body=Pieces(LONG, 7777))

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assert_stored(exim.maildir, LONG, 2)

    async def test_verification_required(self) -> None:
        """A self-signed certificate is not enough for tls_verify_hosts."""
        exim = self.use(
            Exim(extra="tls_advertise_hosts = *"), tls_verify_hosts="127.0.0.1"
        )

        [outcome] = await self.deliver("a@exim.test")

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertIn("certificate", outcome.text)
        self.assertEqual(list((exim.maildir / "new").glob("*")), [])

    async def test_kept_connection(self) -> None:
        """Messages share a TLS connection, also after a refused recipient."""
        extra = "tls_advertise_hosts = *\nrecipients_max = 2"
        self.use(Exim(extra=extra))
        await self.deliver("a@exim.test", "b@exim.test", "c@exim.test")

        [outcome] = await self.deliver("a@exim.test")

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertTrue(outcome.reused_connection)


class DovecotTests(RelayCase):
    async def test_recipients(self) -> None:
        """Each recipient has the outcome that the LMTP server says."""
        dovecot = self.use(Dovecot(), protocol="lmtp", rcpt_include_affixes="true")

        known, unknown = await self.deliver("user@dovecot.test", "no@dovecot.test")

        self.assertIs(known.result, Result.DELIVERED, known)
        self.assertIs(unknown.result, Result.FAILED, unknown)
        self.assert_stored(dovecot.maildir, DOTS)

    async def test_chunking_off(self) -> None:
        """By DATA it is the same, and the connection is kept."""
        dovecot = self.use(Dovecot(), protocol="lmtp", hosts_try_chunking="")

        await self.deliver("user@dovecot.test", body=LONG)
        [outcome] = await self.deliver("user@dovecot.test", body=LONG)

        self.assertTrue(outcome.reused_connection, outcome)
        self.assert_stored(dovecot.maildir, LONG, 2)
