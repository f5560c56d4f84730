"""Two of our daemons back to back: PROXY, TLS, reports and extensions on real sockets."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence

import trustme

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
WITH_DSN = "dsn_advertise_hosts = *"
VERIFYING = """\
  tls_verify_hosts = *
  tls_verify_certificates = AUTHORITY
  tls_verify_cert_hostnames = *
"""


class TwoServersTestCase(DaemonTestCase):
    """Our daemon of ``ours.test`` sends what is not its own to that of ``theirs.test``."""

    def pair(
        self,
        *,
        ours: str = "",
        theirs: str = "",
        offered: str = "",
        issuer: trustme.CA = AUTHORITY,
    ) -> tuple[Daemon, Daemon]:
        """Return both; ``ours`` has options of the transport, ``theirs`` of the
        other's main section, ``offered`` of our own.  The other's certificate is
        ``issuer``'s.
        """
        authority = "$spool_directory/../authority"
        sending = self.daemon(
            main=offered, transport=ours.replace("AUTHORITY", authority), runs=False
        )
        AUTHORITY.cert_pem.write_to_path(str(sending.directory / "authority"))
        taking = self.daemon(sending.port, runs=False)
        made = issuer.issue_cert("127.0.0.1", common_name="theirs.test")
        path = taking.directory / "certificate"
        made.private_key_and_cert_chain_pem.write_to_path(str(path))
        taking.rewrite(
            "tls_advertise_hosts = *",
            f"tls_advertise_hosts = *\ntls_certificate = {path}\n{theirs}",
        )
        taking.rewrite("ours.test", "theirs.test")
        sending.rewrite("127.0.0.1::9 ", f"127.0.0.1::{taking.port} ")
        sending.run()
        taking.run()
        return sending, taking


class TLSTests(TwoServersTestCase):
    """A message goes on inside TLS, or not at all."""

    def test_verified(self) -> None:
        """The certificate is good: both logs say TLS, ours that it was verified."""
        sending, taking = self.pair(ours=VERIFYING)

        send(sending.port, "user@theirs.test")

        (message,) = taking.wait_for_mail()
        sending.wait_for_log("Completed")
        self.assertRegex(
            sending.log(),
            r"=> user@theirs\.test R=onward T=smtp H=127\.0\.0\.1 \[127\.0\.0\.1\] "
            r'X=TLS1\.3:\S+ CV=yes (DN="[^"]*" )?K C="250[ -]',
        )
        self.assertRegex(taking.log(), r"<= sender@ours\.test .* P=esmtps X=TLS1\.3:")
        self.assertIn(b"with esmtps", message)

    def test_not_verified(self) -> None:
        """The certificate is a stranger's: the message waits, and nothing is sent."""
        sending, taking = self.pair(ours=VERIFYING, issuer=STRANGER)

        send(sending.port, "user@theirs.test")

        sending.wait_for_log("== user@theirs.test R=onward T=smtp defer (-37)")
        self.assertNotIn("<= ", taking.log())
        self.assertEqual([], taking.mailbox())

    def test_required_of_us(self) -> None:
        """A host that wants TLS first gets it."""
        sending, taking = self.pair(theirs="acl_smtp_mail = ${if def:tls_in_cipher{accept}{deny}}")  # fmt: skip

        send(sending.port, "user@theirs.test")

        taking.wait_for_mail()
        with smtplib.SMTP("127.0.0.1", taking.port, timeout=20) as client:
            client.ehlo("client.test")
            self.assertEqual(550, client.mail("x@x.test")[0])


class ExtensionTests(TwoServersTestCase):
    """What one offers, the other uses."""

    def submit(
        self, port: int, mail: Sequence[str] = (), rcpt: Sequence[str] = ()
    ) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.ehlo("client.test")
            self.assertEqual(250, client.mail("sender@ours.test", mail)[0])
            self.assertEqual(250, client.rcpt("user@theirs.test", rcpt)[0])
            self.assertEqual(250, client.data(b"Subject: x\r\n\r\nhello\r\n")[0])

    def test_success_report(self) -> None:
        """The last host reports success, with what the first was given (RFC 3461)."""
        sending, _ = self.pair(theirs=WITH_DSN, offered=WITH_DSN)

        self.submit(
            sending.port,
            ["RET=HDRS", "ENVID=id+2Bone"],
            ["NOTIFY=SUCCESS", "ORCPT=rfc822;first@ours.test"],
        )

        (report,) = sending.wait_for_mail(name="sender")
        self.assertIn(b"\nAction: delivered\n", report)
        self.assertIn(b"\nOriginal-Envelope-Id: id+one\n", report)
        self.assertIn(b"\nOriginal-Recipient: rfc822;first@ours.test\n", report)
        self.assertIn(b"\nReporting-MTA: dns; theirs.test\n", report)
        self.assertNotIn(b"\nhello\n", report)

    def test_relayed_report(self) -> None:
        """Where the next host has no DSN, the first reports that it handed on."""
        sending, _ = self.pair(offered=WITH_DSN)

        self.submit(sending.port, rcpt=["NOTIFY=SUCCESS"])

        (report,) = sending.wait_for_mail(name="sender")
        self.assertIn(b"\nAction: relayed\n", report)
        self.assertIn(b"\nReporting-MTA: dns; ours.test\n", report)

    def test_size(self) -> None:
        """What is larger than the next host takes is returned before it is sent."""
        sending, taking = self.pair(theirs="message_size_limit = 20K")

        send(sending.port, "user@theirs.test", body=b"a line\r\n" * 10_000)

        (bounce,) = sending.wait_for_mail(name="sender")
        self.assertIn(b"\nAction: failed\n", bounce)
        self.assertIn("rejected MAIL <sender@ours.test>: message too big", taking.log())


class _BehindProxy(smtplib.SMTP):
    """A client whose octets come from a proxy at 127.0.0.2."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        here = ("127.0.0.2", 0)
        connection = socket.create_connection((host, port), timeout, here)
        connection.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 25\r\n")
        return connection


class ProxyTests(DaemonTestCase):
    """A client behind a proxy, inside TLS."""

    def test_starttls(self) -> None:
        """The header comes first, then a session as any other, as the client's."""
        daemon = self.daemon(main="hosts_proxy = 127.0.0.2")
        with _BehindProxy("127.0.0.1", daemon.port, timeout=20) as client:
            client.starttls(context=ssl._create_unverified_context())  # noqa: S323
            client.sendmail(
                "sender@ours.test", ["user@ours.test"], "Subject: x\r\n\r\nx"
            )

        (message,) = daemon.wait_for_mail()

        self.assertIn(b"\nReceived: from [192.0.2.7] (helo=", message)
        self.assertRegex(
            daemon.log(),
            r"<= sender@ours\.test H=\(\S+\) \[192\.0\.2\.7\] P=esmtps",
        )
