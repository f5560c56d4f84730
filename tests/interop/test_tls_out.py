"""TLS that goes out of a whole daemon, to receivers that staple or do not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import send
from tests.interop.host_files import HostFilesCase
from tests.interop.peers import Exim, Postfix
from tests.interop.programs import environment, free_port, program, wait_for
from tests.interop.wire_tap import WireTap
from tests.smtp.fake_server import FakeServer
from tests.tls.proofs import DAY, REVOKED

MARK = b"a-word-that-must-not-cross-in-clear"
STRICT = {"hosts_require_ocsp": "*", "hosts_require_tls": "*", "tls_verify_hosts": "*"}
SELECTORS = "log_selector = +tls_ocsp +tls_peerdn"
AWAY = """\
away:
  driver = manualroute
  domains = {domain}
  route_list = * 127.0.0.1::{port} byname
  self = send
  transport = smtp
"""


class TLSOutCase(HostFilesCase):
    """An authority, a receiver's files, and a daemon that sends to a port."""

    def setUp(self) -> None:
        super().setUp()
        self.issue("mx.test", responder="http://127.0.0.1:9/")
        self.good = self.authority.respond(self.host.certificate)
        self.revoked = self.authority.respond(
            self.host.certificate, REVOKED, reason=x509.ReasonFlags.superseded
        )
        self.expired = self.authority.respond(
            self.host.certificate,
            begin=self.authority.now - 2 * DAY,
            end=self.authority.now - DAY,
        )
        self.write("mx.ocsp", self.good)

    def sender(self, port: int, domain: str = "ours.test", **options: str) -> Daemon:
        """Start a daemon that sends the mail of a domain to a port."""
        options.setdefault("tls_verify_certificates", self.path("authority.pem"))
        # The host is an address: there is no name to check.
        options.setdefault("tls_verify_cert_hostnames", "")
        # Each message has its own handshake.
        options.setdefault("connection_max_messages", "1")
        lines = [f"  {name} = {value}" for name, value in options.items()]
        return self.daemon(
            main=SELECTORS,
            routers=AWAY.format(domain=domain, port=port),
            transport="\n".join(lines),
        )

    def tap(self, port: int) -> WireTap:
        """Listen in on what goes to a port; in the end no mark may have crossed."""
        tap = WireTap(port)
        self.addCleanup(tap.stop)
        self.addCleanup(lambda: self.assertNotIn(MARK, tap.octets))
        return tap

    def post(self, daemon: Daemon, recipient: str = "user@ours.test") -> None:
        """Give a daemon a message with the mark."""
        answer = send(daemon.port, recipient, body=MARK + b"\r\n")
        self.assertEqual(250, answer[0])


class OwnReceiverTests(TLSOutCase):
    """Two daemons: one staples, the other insists."""

    def receiver(self) -> Daemon:
        """Start a daemon that staples what is in the file."""
        return self.sick_daemon(
            main=f"tls_certificate = {self.path('mx.pem')}\n"
            f"tls_ocsp_file = {self.path('mx.ocsp')}"
        )

    def test_story(self) -> None:
        """Mail flows while the proof is good, and waits with the reason while not."""
        receiver = self.receiver()
        tap = self.tap(receiver.port)
        sender = self.sender(tap.port, **STRICT)

        self.post(sender)
        receiver.wait_for_mail(1)
        sender.wait_for_log("Completed")
        self.assertRegex(
            sender.log(),
            r"=> user@ours\.test R=away T=smtp H=127\.0\.0\.1 \[127\.0\.0\.1\]\S* "
            r'X=TLS1\.3:\S+ CV=yes DN="/CN=mx\.test" OCSP=good K C="250',
        )

        reason = "Required TLS certificate status not received"
        for count, bad in enumerate((self.expired, self.revoked), start=2):
            self.write("mx.ocsp", bad)
            before = sender.log().count(" == ")
            self.post(sender)
            wait_for(lambda: sender.log().count(" == ") > before, 20, "a deferral")  # noqa: B023
            self.assertRegex(
                sender.log(),
                r"== user@ours\.test R=away T=smtp defer \(-37\) H=127\.0\.0\.1 "
                rf"\[127\.0\.0\.1\]: TLS session: \(SSL_connect\) {reason}",
            )
            listing = sender.command("-bp").stdout.decode()
            self.assertIn(f"TLS session: (SSL_connect) {reason}", listing)
            self.assertEqual(count - 1, len(receiver.mailbox()))

            self.write("mx.ocsp", self.good)

            receiver.wait_for_mail(count)
            wait_for(
                lambda: not sender.command("-bp").stdout.strip(), 20, "an empty queue"
            )
        self.assertIn(b"STARTTLS", tap.octets)

    def test_capture(self) -> None:
        """Nothing of a message is in a packet, whatever becomes of its delivery."""
        tshark = program("tshark")
        receiver = self.receiver()
        sender = self.sender(receiver.port, hosts_require_ocsp="*")
        packets = self.path("packets")
        Path(packets).touch(mode=0o666)
        with self.capturing(tshark, receiver.port, packets):
            self.post(sender)
            receiver.wait_for_mail(1)
            self.write("mx.ocsp", self.revoked)
            self.post(sender)
            sender.wait_for_log(" == ")
            wait_for(lambda: self.captured(packets, b"STARTTLS") > 1, 20, "packets")

        self.assertEqual(0, self.captured(packets, MARK))
        self.assertEqual(0, self.captured(packets, b"MAIL FROM"))

    def captured(self, packets: str, octets: bytes) -> int:
        """Return how often octets are in a capture."""
        return Path(packets).read_bytes().count(octets)

    @contextlib.contextmanager
    def capturing(self, tshark: str, port: int, packets: str) -> Iterator[None]:
        """Write the packets from and to a port into a file."""
        command = [
            tshark, "-q", "-i", "lo", "-f", f"tcp port {port}", "-F", "pcap",
            "-w", packets,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            if not self.is_ready(process, packets):
                self.skipTest("packets cannot be captured here")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()

    def is_ready(self, process: subprocess.Popen[bytes], packets: str) -> bool:
        """Wait until the capture has begun; return whether it has."""
        with contextlib.suppress(AssertionError):
            wait_for(
                lambda: process.poll() is not None or os.path.getsize(packets) >= 24,
                20,
                "the capture",
            )
        return process.poll() is None and os.path.getsize(packets) >= 24


class EximReceiverTests(TLSOutCase):
    """Exim as the receiver, with ``tls_ocsp_file``."""

    def receiver(self, staple: bytes = b"") -> Exim:
        """Start an Exim that staples some octets, or nothing."""
        self.write("mx.ocsp", staple)
        stapling = f"tls_ocsp_file = {self.path('mx.ocsp')}" if staple else ""
        exim = Exim(
            extra=f"tls_advertise_hosts = *\ntls_certificate = {self.path('mx.pem')}\n"
            f"{stapling}"
        )
        self.keep(exim)
        return exim

    def test_good(self) -> None:
        """Exim's good staple lets mail flow."""
        exim = self.receiver(self.good)
        tap = self.tap(exim.port)
        sender = self.sender(tap.port, "exim.test", **STRICT)

        self.post(sender, "user@exim.test")

        sender.wait_for_log("Completed")
        self.assertRegex(sender.log(), r" CV=yes DN=\S+ OCSP=good ")

    def test_required(self) -> None:
        """Without a staple mail waits, also without hosts_require_tls."""
        exim = self.receiver()
        tap = self.tap(exim.port)
        sender = self.sender(tap.port, "exim.test", hosts_require_ocsp="*")

        self.post(sender, "user@exim.test")

        sender.wait_for_log(
            "TLS session: (SSL_connect) Required TLS certificate status not received"
        )
        sender.wait_for_log(" == user@exim.test")
        self.assertNotIn(b"MAIL FROM", tap.octets)

    def test_no_tls_after_all(self) -> None:
        """Exim refuses STARTTLS where its proof says revoked: nothing goes in clear."""
        exim = self.receiver(self.revoked)
        tap = self.tap(exim.port)
        sender = self.sender(tap.port, "exim.test", hosts_require_ocsp="*")

        self.post(sender, "user@exim.test")

        sender.wait_for_log(" == user@exim.test")
        self.assertRegex(
            sender.log(),
            r"defer \(-3[78]\) H=127\.0\.0\.1 \[127\.0\.0\.1\]: .*TLS",
        )
        self.assertNotIn(b"MAIL FROM", tap.octets)

    def test_requested(self) -> None:
        """Without a staple that was only requested mail flows."""
        exim = self.receiver()
        tap = self.tap(exim.port)
        sender = self.sender(tap.port, "exim.test")

        self.post(sender, "user@exim.test")

        sender.wait_for_log("Completed")
        self.assertRegex(sender.log(), r" CV=yes DN=\S+ OCSP=none ")


class PostfixReceiverTests(TLSOutCase):
    """Postfix as the receiver, which never staples."""

    def receiver(self) -> Postfix:
        """Start a Postfix with TLS that asks for our certificate."""
        postfix = Postfix(
            extra="smtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {self.path('mx.pem')}\n"
            f"smtpd_tls_key_file = {self.path('mx.pem')}\n"
            f"smtpd_tls_CAfile = {self.path('authority.pem')}\n"
            "smtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 1\n"
            "smtpd_tls_received_header = yes"
        )
        self.keep(postfix)
        return postfix

    def test_required(self) -> None:
        """What is required and does not come holds mail back."""
        postfix = self.receiver()
        tap = self.tap(postfix.port)
        sender = self.sender(tap.port, "postfix.test", **STRICT)

        self.post(sender, "user@postfix.test")

        sender.wait_for_log(
            "TLS session: (SSL_connect) Required TLS certificate status not received"
        )
        sender.wait_for_log(" == user@postfix.test")
        self.assertNotIn(b"MAIL FROM", tap.octets)

    def test_our_certificate(self) -> None:
        """Our certificate is shown, and found trusted."""
        postfix = self.receiver()
        tap = self.tap(postfix.port)
        ours = self.authority.issue("ours.test")
        # An authority's certificate for servers is not one for clients.
        self.write("ours.pem", ours.pem)
        self.write("ours.key", ours.key_pem)
        sender = self.sender(
            tap.port,
            "postfix.test",
            tls_certificate=self.path("ours.pem"),
            tls_privatekey=self.path("ours.key"),
            tls_verify_hosts="*",
        )

        self.post(sender, "user@postfix.test")

        sender.wait_for_log("Completed")
        self.assertRegex(sender.log(), r" CV=yes DN=\S+ OCSP=none ")
        wait_for(postfix.maildir.exists, 20, "a Maildir")
        folder = postfix.maildir / "new"
        wait_for(lambda: list(folder.iterdir()), 20, "a message")
        (message,) = folder.iterdir()
        self.assertIn('Client CN "ours.test"', message.read_text())


class OpenSSLReceiverTests(TLSOutCase):
    """``openssl s_server`` and a script, for TLS from the start."""

    def serve(self, staple: bytes) -> tuple[int, FakeServer, Callable[[], bool]]:
        """Return a port, who answers there, and whether a client has come and gone."""
        self.write("mx.ocsp", staple)
        port = free_port()
        command = [
            program("openssl"), "s_server", "-quiet", "-accept", f"127.0.0.1:{port}",
            "-cert", self.path("mx.pem"), "-key", self.path("mx.pem"),
            "-status_file", self.path("mx.ocsp"), "-naccept", "1",
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        self.addCleanup(self.end, process)
        script = FakeServer()
        assert process.stdin is not None
        process.stdin.write(b"220 script\r\n")
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)  # type: ignore[union-attr]
        return port, script, lambda: self.answer(process, script)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End the server."""
        process.kill()
        process.communicate(timeout=10)

    def answer(self, process: subprocess.Popen[bytes], script: FakeServer) -> bool:
        """Answer what has come; return whether the client is gone."""
        assert process.stdin is not None
        assert process.stdout is not None
        octets = process.stdout.read()
        if octets:
            reply, _ = script.feed(octets)
            with contextlib.suppress(OSError):
                process.stdin.write(reply)
                process.stdin.flush()
        return process.poll() is not None

    def deliver(self, staple: bytes) -> tuple[Daemon, FakeServer]:
        """Send a message to a server with a staple."""
        port, script, is_over = self.serve(staple)
        sender = self.sender(port, "script.test", protocol="smtps", **STRICT)
        self.post(sender, "user@script.test")
        wait_for(
            lambda: is_over() or " => " in sender.log() or " == " in sender.log(),
            20,
            "a delivery",
        )
        return sender, script

    def test_good(self) -> None:
        """A good staple by OpenSSL is good."""
        sender, script = self.deliver(self.good)

        sender.wait_for_log("Completed")
        self.assertRegex(sender.log(), r" CV=yes DN=\S+ OCSP=good ")
        self.assertIn(MARK, script.messages[0])

    def test_bad(self) -> None:
        """Bad ones are told apart, and nothing is sent."""
        for staple, text in (
            (self.revoked, "Server certificate revoked: superseded"),
            (self.expired, "Server certificate status is out-of-date"),
        ):
            sender, script = self.deliver(staple)

            sender.wait_for_log(f"TLS session: (SSL_connect) {text}")
            sender.wait_for_log(" == user@script.test")
            self.assertEqual(([], []), (script.commands, script.messages))
