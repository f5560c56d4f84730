"""Where a message may end: aliases, files, pipes, LMTP, many recipients, any script."""

from __future__ import annotations

import os
import smtplib

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send, swaks
from tests.interop.peers import Dovecot, Exim
from tests.interop.programs import wait_for
from tests.interop.test_reports import new_messages

USER = "  user = mail\n" if os.geteuid() == 0 else ""
ALIASES = (
    """\
aliases:
  driver = redirect
  domains = +local_domains
  allow_fail
  allow_defer
  data = ${lookup{$local_part}lsearch{$spool_directory/../aliases}}
  file_transport = address_file
  pipe_transport = address_pipe
"""
    + USER
)
TRANSPORTS = """\
address_file:
  driver = appendfile
  delivery_date_add
address_pipe:
  driver = pipe
  return_output
"""
LMTP_ROUTER = """\
mailboxes:
  driver = manualroute
  domains = dovecot.test
  route_list = * 127.0.0.1::{port} byname
  self = send
  transport = mailbox_lmtp
"""
LMTP_TRANSPORT = """\
mailbox_lmtp:
  driver = smtp
  protocol = lmtp
  allow_localhost
"""


class AliasTests(DaemonTestCase):
    """Addresses that stand for something else."""

    def aliases(self, text: str) -> Daemon:
        daemon = self.daemon(routers=ALIASES, transport=TRANSPORTS)
        daemon.write("aliases", text.replace("MAIL", str(daemon.directory / "mail")))
        return daemon

    def test_several(self) -> None:
        """An alias is several mailboxes; each gets one copy, however often named."""
        daemon = self.aliases("all: user, sender, more\nmore: user, postmaster\n")

        send(daemon.port, "all@ours.test", "user@ours.test")

        daemon.wait_for_log("Completed")
        for name in ("user", "sender", "postmaster"):
            self.assertEqual(1, len(daemon.mailbox(name)), name)
        self.assertIn("=> postmaster <all@ours.test> R=local", daemon.log())

    def test_fail(self) -> None:
        """The text of :fail: is what the sender reads."""
        daemon = self.aliases("gone: :fail: moved to the country\n")

        send(daemon.port, "gone@ours.test")

        (bounce,) = daemon.wait_for_mail(name="sender")
        self.assertIn(b"moved to the country", bounce)
        self.assertIn("** gone@ours.test R=aliases", daemon.log())

    def test_defer_and_blackhole(self) -> None:
        """:defer: keeps the message, :blackhole: throws it away."""
        daemon = self.aliases("wait: :defer: on holiday\nnowhere: :blackhole:\n")

        send(daemon.port, "wait@ours.test", "nowhere@ours.test")

        daemon.wait_for_log("== wait@ours.test R=aliases defer (-1): on holiday")
        self.assertIn("=> :blackhole: <nowhere@ours.test> R=aliases", daemon.log())
        listing = daemon.command("-bp").stdout.decode()
        self.assertIn("\n          wait@ours.test  (on holiday)\n", listing)
        self.assertIn("\n        D nowhere@ours.test\n", listing)

    def test_file(self) -> None:
        """A file is an mbox."""
        daemon = self.aliases("box: MAIL/box\n")

        for _ in range(2):
            send(daemon.port, "box@ours.test", body=b"From here\r\n")
        wait_for(lambda: daemon.log().count("Completed\n") == 2, 20, "deliveries")

        octets = (daemon.directory / "mail" / "box").read_bytes()
        self.assertEqual(2, octets.count(b"From sender@ours.test "))
        self.assertEqual(2, octets.count(b"\n>From here\n"))

    def test_pipe(self) -> None:
        """A command gets the message; what it says when it fails, the sender reads."""
        daemon = self.aliases(
            "reader: \"|/bin/sh -c 'cat > MAIL/piped'\"\n"
            "failing: \"|/bin/sh -c 'echo no such luck; exit 70'\"\n"
        )

        send(daemon.port, "reader@ours.test", "failing@ours.test")

        (bounce,) = daemon.wait_for_mail(name="sender")
        daemon.wait_for_log("Completed")
        piped = (daemon.directory / "mail" / "piped").read_bytes()
        self.assertIn(b"Subject: test\n\nhello\n", piped)
        self.assertIn(b"no such luck", bounce)
        self.assertRegex(
            daemon.log(),
            r"\*\* /bin/sh -c 'echo no such luck; exit 70' <failing@ours\.test> "
            "R=aliases T=address_pipe: .*returned 70",
        )


class ManyRecipientsTests(DaemonTestCase):
    def test_one_file_each(self) -> None:
        """Each of many recipients gets a copy, and the log says so of each."""
        daemon = self.daemon(runs=False)
        names = [f"box{number}" for number in range(100)]
        daemon.rewrite(
            "local_parts = user", f"local_parts = {' : '.join(names)} : user"
        )
        daemon.run()

        recipients = [f"{name}@ours.test" for name in names]
        self.assertEqual(250, send(daemon.port, *recipients)[0])

        daemon.wait_for_log("Completed")
        self.assertEqual(100, daemon.log().count(" R=local T=maildir\n"))
        for name in names:
            self.assertEqual(1, len(daemon.mailbox(name)))


class LMTPTests(DaemonTestCase):
    def test_dovecot(self) -> None:
        """Dovecot's mailboxes; for whom it does not know, the sender has a report."""
        dovecot = Dovecot()
        self.keep(dovecot)
        daemon = self.daemon(
            routers=LMTP_ROUTER.format(port=dovecot.port), transport=LMTP_TRANSPORT
        )

        sent = swaks(daemon.port, "--to", "user@dovecot.test,unknown@dovecot.test")
        self.assertEqual(0, sent.returncode, sent.stdout)

        (message,) = new_messages(dovecot.maildir, 1)
        self.assertIn(b"by ours.test", message)
        (bounce,) = daemon.wait_for_mail(name="sender")
        self.assertIn(b"Final-Recipient: rfc822;unknown@dovecot.test", bounce)
        self.assertNotIn(b"Final-Recipient: rfc822;user@", bounce)
        self.assertIn("=> user@dovecot.test R=mailboxes T=mailbox_lmtp", daemon.log())


class InternationalTests(DaemonTestCase):
    """Addresses and fields that are not ASCII (RFC 6531)."""

    def send_utf8(self, daemon: Daemon, recipient: str) -> None:
        content = "Subject: Grüße\r\n\r\nschöne\r\n".encode()
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=20) as client:
            client.ehlo("client.test")
            client.command_encoding = "utf-8"
            client.mail("grün@ours.test", ["SMTPUTF8", "BODY=8BITMIME"])
            self.assertEqual(250, client.rcpt(recipient)[0])
            self.assertEqual(250, client.data(content)[0])

    def test_maildir(self) -> None:
        """It arrives as it was sent."""
        daemon = self.daemon()

        self.send_utf8(daemon, "user@ours.test")

        (message,) = daemon.wait_for_mail()
        self.assertTrue(message.startswith("Return-path: <grün@ours.test>\n".encode()))
        self.assertIn("\nSubject: Grüße\n\nschöne\n".encode(), message)
        self.assertRegex(message.decode(), r"with utf8esmtp\b")

    def test_relay(self) -> None:
        """Exim, which offers SMTPUTF8, gets it so."""
        daemon = self.daemon(runs=False)
        exim = Exim(daemon.port, "smtputf8_advertise_hosts = *")
        self.keep(exim)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{exim.port} ")
        daemon.run()

        self.send_utf8(daemon, "müller@exim.test")

        (message,) = new_messages(exim.maildir, 1)
        self.assertIn("Return-path: <grün@ours.test>".encode(), message)
        self.assertIn("\nSubject: Grüße\n".encode(), message)

    def test_refused(self) -> None:
        """A host that does not offer it does not get it; the sender is told."""
        daemon = self.daemon(runs=False)
        exim = Exim(daemon.port, "smtputf8_advertise_hosts =")
        self.keep(exim)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{exim.port} ")
        daemon.rewrite("local_parts = user :", "local_parts = user : grün :")
        daemon.run()

        self.send_utf8(daemon, "müller@exim.test")

        (bounce,) = daemon.wait_for_mail(name="grün")
        self.assertIn(b"\nAction: failed\n", bounce)
