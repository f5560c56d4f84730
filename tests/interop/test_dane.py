"""DANE by a whole daemon: to Exim, Postfix and ourselves, by zones that are signed."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mta.dns import Resolver
from mta.host import Answer, Outcome
from tests.interop.daemon import BY_DNS, Daemon
from tests.interop.daemon_case import DaemonTestCase, send
from tests.interop.peers import Exim, Postfix
from tests.interop.programs import wait_for
from tests.interop.published import Published
from tests.interop.signed_zones import SignedZones
from tests.interop.wire_tap import WireTap
from tests.tls.chains import Certified, certify
from tests.tls.proofs import Holder

MARK = b"a-word-that-must-not-cross-in-clear"
TRANSPORT = """\
  port = {port}
  connection_max_messages = 1
  hosts_require_dane = {required}
"""
MISMATCH = "TLS session: no TLSA record matches the certificate"


class DANECase(DaemonTestCase):
    """Hosts with certificates that they have signed themselves."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        now = datetime.now(UTC).replace(microsecond=0)
        self.host = certify("self-signed.test", now=now)
        self.other = certify("self-signed.test", now=now)
        holder = Holder(self.host.certificate, self.host.key)
        self.pem = self.directory / "mx.pem"
        self.pem.write_bytes(holder.pem + holder.key_pem)
        self.pem.chmod(0o644)

    @staticmethod
    def record(certified: Certified) -> str:
        """Return the TLSA record that names a certificate, as zones have it."""
        usage, selector, matching, octets = certified.record(3)
        return f"{usage} {selector} {matching} {octets.hex()}"

    def sender(self, port: int, dns_port: int, required: str = "") -> Daemon:
        """Start a daemon that looks hosts up, and connects to a port of them."""
        return self.daemon(
            routers=BY_DNS,
            transport=TRANSPORT.format(port=port, required=required),
            dns_port=dns_port,
        )

    def post(self, daemon: Daemon, recipient: str) -> None:
        """Give a daemon a message with the mark."""
        answer = send(daemon.port, recipient, body=MARK + b"\r\n")
        self.assertEqual(answer[0], 250)

    def wait_for_line(self, daemon: Daemon, sign: str, text: str) -> None:
        """Wait for a line of the log with both."""

        def lines() -> list[str]:
            whole = daemon.log().splitlines()
            return [line for line in whole if sign in line and text in line]

        try:
            wait_for(lines, 20, text)
        except AssertionError:
            print(daemon.log())
            raise


class SignedTests(DANECase):
    """Zones that unbound verifies, and receivers that others wrote."""

    def check(self, receiver: Any, domain: str, files: Path) -> None:
        """Send two messages: the pinned host gets its one, another's pin stops one."""
        tap = WireTap(receiver.port)
        self.addCleanup(tap.stop)
        host = "mx 60 IN A 127.0.0.1\n@ 60 IN MX 10 mx\n"
        place = f"_{tap.port}._tcp.mx 60 IN TLSA"
        zones = SignedZones({domain: f"{host}{place} {self.record(self.host)}\n"})
        self.keep(zones)
        wrong = SignedZones({domain: f"{host}{place} {self.record(self.other)}\n"})
        self.keep(wrong)

        sender = self.sender(tap.port, wrong.port, "*")
        self.post(sender, f"user@{domain}")
        self.wait_for_line(sender, " == ", MISMATCH)
        self.assertIn(
            f"DANE attempt failed; TLS connection to mx.{domain} [127.0.0.1]: "
            "no TLSA record matches",
            sender.log(),
        )
        self.assertEqual([], list(files.glob("new/*")))

        sender.rewrite(f"127.0.0.1:{wrong.port}", f"127.0.0.1:{zones.port}")
        try:
            wait_for(lambda: list(files.glob("new/*")), 20, "the message")
        except AssertionError:
            print(sender.log(), receiver.log())
            raise
        self.wait_for_line(sender, " => ", "CV=dane")
        self.assertNotIn(MARK, tap.octets)
        [path] = files.glob("new/*")
        self.assertIn(MARK, path.read_bytes())

    def test_exim(self) -> None:
        """To Exim."""
        exim = Exim(extra=f"tls_certificate = {self.pem}")
        self.keep(exim)

        self.check(exim, "exim.test", exim.maildir)

    def test_postfix(self) -> None:
        """To Postfix."""
        postfix = Postfix(
            extra=f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {self.pem}"
        )
        self.keep(postfix)

        self.check(postfix, "postfix.test", postfix.maildir)


class OwnNameServerTests(DANECase):
    """Answers that are called authenticated or not, to a daemon of our own."""

    def setUp(self) -> None:
        super().setUp()
        self.published = Published(trustme.CA().issue_cert("unused.test"))
        self.keep(self.published)
        self.taking = self.daemon(main=f"tls_certificate = {self.pem}", runs=False)
        self.taking.rewrite("ours.test", "theirs.test")
        self.place = f"_{self.taking.port}._tcp.mx.theirs.test TLSA"
        self.published.have(
            {
                "theirs.test MX": ["10 mx.theirs.test."],
                "mx.theirs.test A": ["127.0.0.1"],
                self.place: [self.record(self.host)],
            }
        )

    def test_story(self) -> None:
        """Mail flows, waits with the reason while the record is wrong, flows again."""
        self.published.authenticate(True)
        self.taking.run()
        sender = self.sender(self.taking.port, self.published.dns_port)

        self.post(sender, "user@theirs.test")
        self.taking.wait_for_mail(1)
        self.wait_for_line(sender, " => ", "CV=dane")

        self.published.have({self.place: [self.record(self.other)]})
        wait_for(lambda: self.is_wrong(sender), 20, "the record to be wrong")
        listing = sender.command("-bp").stdout.decode()
        self.assertIn("no TLSA record matches", listing)

        self.published.have({self.place: [self.record(self.host)]})
        wait_for(lambda: not sender.command("-bp").stdout.strip(), 20, "the queue")

    def is_wrong(self, sender: Daemon) -> bool:
        """Post a message, and return whether it or one before it waits."""
        self.post(sender, "user@theirs.test")
        return MISMATCH in sender.log()

    def test_not_authenticated(self) -> None:
        """Without the AD bit records do not matter, but where they must be there."""
        self.published.have({self.place: [self.record(self.other)]})
        self.taking.run()
        sender = self.sender(self.taking.port, self.published.dns_port)

        self.post(sender, "user@theirs.test")
        self.taking.wait_for_mail(1)
        self.wait_for_line(sender, " => ", "CV=no")

        sender.rewrite("hosts_require_dane =", "hosts_require_dane = *.theirs.test")
        self.post(sender, "user@theirs.test")
        text = "DANE error: mx.theirs.test lookup not DNSSEC"
        self.wait_for_line(sender, " == ", text)

    def test_no_tls(self) -> None:
        """A host with records that offers no TLS gets nothing in clear."""
        self.published.authenticate(True)
        self.taking.rewrite("tls_advertise_hosts = *", "tls_advertise_hosts =")
        self.taking.run()
        sender = self.sender(self.taking.port, self.published.dns_port)

        self.post(sender, "user@theirs.test")

        self.wait_for_line(sender, " == ", "the server did not offer TLS support")
        self.assertNotIn(" <= ", self.taking.log())


class UnboundTests(TestCase):
    """Our resolver and a verifying one that others wrote."""

    timeout = 60

    def setUp(self) -> None:
        host = "mx 60 IN A 127.0.0.1\nalias 60 IN CNAME mx\n"
        record = f"_25._tcp.mx 60 IN TLSA 3 1 1 {'ab' * 32}\n"
        alias = "_25._tcp.alias 60 IN CNAME _25._tcp.mx\n"
        zones = {
            "safe.test": host + record + alias,
            "open.test": host + record,
            "forged.test": host + record,
        }
        unbound = SignedZones(
            zones,
            open_zones=("open.test",),
            forged={"forged.test": ("ab" * 8, "ac" * 8)},
        )
        self.addCleanup(unbound.stop)
        self.resolver = Resolver(reactor, [("127.0.0.1", unbound.port)], timeout=5)

    async def ask(self, name: str, kind: str = "TLSA") -> Answer:
        """Return what the resolver says."""
        return await Deferred.fromCoroutine(self.resolver.query(name, kind))

    async def test_answers(self) -> None:
        """Signed records are secure, others not, and forged ones no answer at all."""
        for name, kind, outcome, secure in (
            ("mx.safe.test", "A", Outcome.FOUND, True),
            ("alias.safe.test", "A", Outcome.FOUND, True),
            ("_25._tcp.mx.safe.test", "TLSA", Outcome.FOUND, True),
            ("_25._tcp.alias.safe.test", "TLSA", Outcome.FOUND, True),
            ("_26._tcp.mx.safe.test", "TLSA", Outcome.NO_DOMAIN, True),
            ("mx.safe.test", "TLSA", Outcome.NO_DATA, True),
            ("mx.open.test", "A", Outcome.FOUND, False),
            ("_25._tcp.mx.open.test", "TLSA", Outcome.FOUND, False),
            ("_25._tcp.mx.forged.test", "TLSA", Outcome.AGAIN, False),
        ):
            answer = await self.ask(name, kind)

            self.assertEqual((answer.outcome, answer.secure), (outcome, secure), name)

    async def test_alias(self) -> None:
        """The name behind an alias is told, and the record is whole."""
        alias = await self.ask("alias.safe.test", "A")
        record = await self.ask("_25._tcp.alias.safe.test")

        self.assertEqual(alias.name, "mx.safe.test")
        self.assertEqual(record.records, ((3, 1, 1, b"\xab" * 32),))
