"""REQUIRETLS and TLS-Required: No on the way to servers that know neither."""

from __future__ import annotations

import smtplib
import ssl

import trustme

from tests.interop.daemon import Daemon
from tests.interop.peers import Exim, Postfix
from tests.interop.programs import wait_for
from tests.interop.test_tls_out import MARK, TLSOutCase


class OtherServersTests(TLSOutCase):
    """Servers with a good certificate, and nothing more."""

    def setUp(self) -> None:
        super().setUp()
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        self.write("authority.pem", authority.cert_pem.bytes())
        self.write("mx.pem", made.private_key_and_cert_chain_pem.bytes())

    def submit(self, daemon: Daemon, recipient: str, *parameters: str) -> None:
        """Give a daemon a message with the mark, inside TLS."""
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=20) as client:
            client.starttls(context=ssl._create_unverified_context())  # noqa: S323
            client.ehlo("client.test")
            client.mail("sender@ours.test", parameters)
            client.rcpt(recipient)
            text = b"TLS-Required: No\r\n\r\n" + MARK + b"\r\n"
            self.assertEqual(250, client.data(text)[0])

    def check(self, port: int, domain: str) -> None:
        """The message comes back unsent; one that requires nothing gets there."""
        tap = self.tap(port)
        recipient = f"user@{domain}"
        sender = self.sender(tap.port, domain)

        self.submit(sender, recipient, "REQUIRETLS")

        wait_for(lambda: sender.mailbox("sender"), 20, "a bounce")
        (bounce,) = sender.mailbox("sender")
        self.assertIn(b"\nStatus: 5.7.30\n", bounce)
        self.assertIn(b"it does not offer REQUIRETLS", bounce)
        self.assertNotIn(MARK, bounce)
        self.assertNotIn(b"MAIL FROM", tap.octets)
        self.submit(sender, recipient)
        sender.wait_for_log(f"=> {recipient} ")
        self.assertIn(" CV=yes ", sender.log())

    def test_exim(self) -> None:
        """Exim does not offer it."""
        exim = Exim(
            extra=f"tls_advertise_hosts = *\ntls_certificate = {self.path('mx.pem')}"
        )
        self.keep(exim)

        self.check(exim.port, "exim.test")

    def test_postfix(self) -> None:
        """Nor does Postfix."""
        postfix = Postfix(
            extra="smtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {self.path('mx.pem')}\n"
            f"smtpd_tls_key_file = {self.path('mx.pem')}"
        )
        self.keep(postfix)

        self.check(postfix.port, "postfix.test")
