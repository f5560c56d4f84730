"""REQUIRETLS over two of our daemons, and by hand (RFC 8689)."""

from __future__ import annotations

import smtplib
import ssl
import subprocess

from tests.interop.daemon_case import DaemonTestCase
from tests.interop.programs import program
from tests.stack.test_two_servers import STRANGER, TwoServersTestCase

TRUSTING = "  tls_verify_certificates = AUTHORITY\n"
INSISTING = r"acl_smtp_mail = ${if match{$smtp_command}{ REQUIRETLS\$}{accept}{deny}}"


class RequireTLSTests(TwoServersTestCase):
    """A message that came with REQUIRETLS."""

    def submit(
        self,
        port: int,
        recipient: str = "user@theirs.test",
        sender: str = "sender@ours.test",
    ) -> None:
        """Send it, inside TLS."""
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=ssl._create_unverified_context())  # noqa: S323
            client.ehlo("client.test")
            self.assertTrue(client.has_extn("requiretls"))
            self.assertEqual(250, client.mail(sender, ["REQUIRETLS"])[0])
            self.assertEqual(250, client.rcpt(recipient)[0])
            text = b"Subject: x\r\n\r\nsecret words\r\n"
            self.assertEqual(250, client.data(text)[0])

    def test_passed_on(self) -> None:
        """The next host is asked for it in its turn."""
        sending, taking = self.pair(ours=TRUSTING, theirs=INSISTING)

        self.submit(sending.port)

        (message,) = taking.wait_for_mail()
        self.assertIn(b"secret words", message)
        sending.wait_for_log("Completed")
        self.assertIn(" CV=yes ", sending.log())

    def test_next_host_lacks_it(self) -> None:
        """It is not sent, and its sender gets the header section back."""
        sending, taking = self.pair(
            ours=TRUSTING, theirs="requiretls_advertise_hosts ="
        )

        self.submit(sending.port)

        (bounce,) = sending.wait_for_mail(name="sender")
        self.assertIn(b"\nStatus: 5.7.30\n", bounce)
        self.assertIn(b"it does not offer REQUIRETLS", bounce)
        self.assertIn(b"\nContent-Type: text/rfc822-headers\n", bounce)
        self.assertNotIn(b"secret words", bounce)
        self.assertNotIn("<= ", taking.log())

    def test_next_host_is_a_stranger(self) -> None:
        """Nor is it sent to a host that cannot prove its name, as others would be."""
        sending, taking = self.pair(ours=TRUSTING, issuer=STRANGER)

        self.submit(sending.port)

        (bounce,) = sending.wait_for_mail(name="sender")
        self.assertIn(b"\nStatus: 5.7.10\n", bounce)
        self.assertNotIn("<= ", taking.log())

    def test_report(self) -> None:
        """The report on a failure goes back in the same way."""
        sending, taking = self.pair(ours=TRUSTING, theirs=INSISTING)

        self.submit(sending.port, "nobody@theirs.test", "user@theirs.test")

        (bounce,) = taking.wait_for_mail()
        self.assertIn(b"\nAction: failed\n", bounce)
        self.assertNotIn(b"secret words", bounce)

    def test_restart(self) -> None:
        """What waits in the queue is as secret after a restart."""
        sending, taking = self.pair(ours=TRUSTING, theirs=INSISTING)
        taking.end()
        self.submit(sending.port)
        sending.wait_for_log("== user@theirs.test")

        sending.end()
        sending.run()
        taking.run()

        self.assertEqual(0, sending.command("-qff").returncode)
        taking.wait_for_mail()


class ByHandTests(DaemonTestCase):
    """A person with ``openssl s_client``."""

    def test_openssl(self) -> None:
        """REQUIRETLS is offered inside TLS, and taken."""
        openssl = program("openssl")
        # The lines come all at once, not one after each reply.
        daemon = self.daemon(main="smtp_enforce_sync = false")
        lines = (
            "EHLO client.test",
            "MAIL FROM:<sender@ours.test> REQUIRETLS",
            "RCPT TO:<user@ours.test>",
            "QUIT",
        )

        done = subprocess.run(
            [openssl, "s_client", "-quiet", "-starttls", "smtp", "-crlf"]
            + ["-connect", f"127.0.0.1:{daemon.port}"],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

        self.assertIn("250-REQUIRETLS", done.stdout)
        self.assertIn("250 OK\n250 Accepted\n221 ", done.stdout.replace("\r", ""))
