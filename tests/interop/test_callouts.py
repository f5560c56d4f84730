"""Callouts to Exim and Postfix, and from Exim to our daemon."""

from __future__ import annotations

import smtplib
from pathlib import Path

from tests.interop.daemon import Daemon
from tests.interop.host_files import HostFilesCase
from tests.interop.peers import Exim, Postfix
from tests.interop.wire_tap import WireTap

CALLING = """\
acl_check_rcpt:
  require verify = {verify}
"""
ACL = """\
begin acl
check_mail:
{mail}
  accept
check_rcpt:
{rcpt}
  accept
begin routers
"""
UNKNOWN = "  deny !local_parts = user : postmaster\n       message = no such user\n"


class EximWithACLs(Exim):
    """Exim with lines of its own in the ACLs for MAIL and RCPT."""

    def __init__(self, *, mail: str = "", rcpt: str = UNKNOWN, **others: str) -> None:
        self._acls = ACL.format(mail=mail, rcpt=rcpt)
        super().__init__(**others)  # type: ignore[arg-type]

    def write(self, name: str, text: str) -> Path:
        text = text.replace(
            "acl_smtp_rcpt = accept",
            "acl_smtp_mail = check_mail\nacl_smtp_rcpt = check_rcpt",
        )
        return super().write(name, text.replace("begin routers\n", self._acls, 1))


class CalloutCase(HostFilesCase):
    """Our daemon in front of a host that is asked about recipients."""

    def caller(
        self, port: int, verify: str = "recipient/callout=10s", transport: str = ""
    ) -> Daemon:
        """Start a daemon that calls a port out."""
        daemon = self.daemon(port, transport=transport, runs=False)
        daemon.rewrite("acl_check_rcpt:\n", CALLING.format(verify=verify))
        daemon.run()
        return daemon

    def rcpt(
        self, daemon: Daemon, *recipients: str, sender: str = "user@ours.test"
    ) -> list[int]:
        """Return the codes of the replies to some recipients."""
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as client:
            client.ehlo("client.test")
            client.mail(sender)
            self.replies = [client.rcpt(recipient) for recipient in recipients]
        return [code for code, _ in self.replies]

    def tap(self, port: int) -> WireTap:
        """Listen in on what goes to a port."""
        tap = WireTap(port)
        self.addCleanup(tap.stop)
        return tap


class EximTests(CalloutCase):
    """Exim is asked."""

    def receiver(self, **facts: str) -> Exim:
        """Start an Exim that knows one user."""
        exim = EximWithACLs(**facts)
        self.keep(exim)
        return exim

    def test_recipients(self) -> None:
        """Who Exim does not know is refused, once without asking it again."""
        tap = self.tap(self.receiver(extra="tls_advertise_hosts =").port)
        daemon = self.caller(tap.port)
        names = ("user@exim.test", "nobody@exim.test")

        self.assertEqual([250, 550], self.rcpt(daemon, *names))
        asked = tap.octets.count(b"RCPT TO:")
        self.assertEqual([250, 550], self.rcpt(daemon, *names))

        self.assertEqual((2, 2), (asked, tap.octets.count(b"RCPT TO:")))
        self.assertIn(
            'response to "RCPT TO:<nobody@exim.test>" from 127.0.0.1 [127.0.0.1] was: '
            "550 no such user",
            daemon.log(),
        )
        self.assertIn("Previous (cached) callout verification failure", daemon.log())

    def test_null_sender(self) -> None:
        """A host without bounces cannot be asked so, but with our postmaster."""
        exim = self.receiver(mail="  deny senders = :\n       message = no bounces\n")
        daemon = self.caller(exim.port)

        self.assertEqual([550], self.rcpt(daemon, "user@exim.test"))
        self.assertIn("no bounces", daemon.log())
        other = self.caller(exim.port, "recipient/callout=10s,use_postmaster")
        self.assertEqual(
            [250, 550], self.rcpt(other, "user@exim.test", "nobody@exim.test")
        )

    def test_random_and_postmaster(self) -> None:
        """Exim takes its postmaster, and no local part that is not there."""
        exim = self.receiver()
        daemon = self.caller(exim.port, "recipient/callout=10s,random,postmaster")

        self.assertEqual([250], self.rcpt(daemon, "user@exim.test"))

        self.assertRegex(exim.log(), r"rejected RCPT <ours.test-\d+-testing@exim.test>")

    def test_gone(self) -> None:
        """A host that is not there is a doubt, or no matter with defer_ok."""
        daemon = self.caller(9)
        self.assertEqual([451], self.rcpt(daemon, "user@exim.test"))
        easy = self.caller(9, "recipient/callout=10s,defer_ok")
        self.assertEqual([250], self.rcpt(easy, "user@exim.test"))

    def test_tls(self) -> None:
        """Callouts are encrypted where that can be, unless it is not wanted."""
        self.issue("mx.test")
        exim = self.receiver(
            extra=f"tls_advertise_hosts = *\ntls_certificate = {self.path('mx.pem')}"
        )
        for transport, is_clear in (
            ("", False),
            ("  hosts_verify_avoid_tls = *", True),
            ("  hosts_verify_avoid_tls = *\n  hosts_require_tls = *", False),
        ):
            with self.subTest(transport):
                tap = self.tap(exim.port)
                daemon = self.caller(tap.port, transport=transport)

                self.assertEqual([250], self.rcpt(daemon, "user@exim.test"))
                self.assertEqual(is_clear, b"RCPT TO:" in tap.octets)

    def test_demanded_tls(self) -> None:
        """Where TLS is demanded and fails, nothing of the envelope crosses."""
        self.issue("mx.test")
        exim = self.receiver(
            extra=f"tls_advertise_hosts = *\ntls_certificate = {self.path('mx.pem')}"
        )
        tap = self.tap(exim.port)
        strict = "  hosts_require_tls = *\n  tls_verify_hosts = *"
        daemon = self.caller(tap.port, transport=strict)

        self.assertEqual([451], self.rcpt(daemon, "user@exim.test"))
        self.assertNotIn(b"MAIL FROM", tap.octets)

    def test_ourselves(self) -> None:
        """A daemon that would ask itself says that it cannot tell, at once."""
        daemon = self.caller(9)
        daemon.rewrite("127.0.0.1::9", f"127.0.0.1::{daemon.port}")

        self.assertEqual([451], self.rcpt(daemon, "user@exim.test"))
        self.assertIn("is this host", daemon.log())


class PostfixTests(CalloutCase):
    """Postfix is asked."""

    def receiver(self) -> Postfix:
        """Start a Postfix that knows one user."""
        self.issue("mx.test")
        pem = self.path("mx.pem")
        postfix = Postfix(
            extra="virtual_mailbox_maps = inline:"
            "{ {user@postfix.test=postfix.test/user/} }\n"
            "smtpd_reject_unlisted_recipient = yes\n"
            f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {pem}"
        )
        self.keep(postfix)
        return postfix

    def test_recipients(self) -> None:
        """Who Postfix does not know is refused, over TLS."""
        tap = self.tap(self.receiver().port)
        daemon = self.caller(tap.port)

        self.assertEqual(
            [250, 550], self.rcpt(daemon, "user@postfix.test", "nobody@postfix.test")
        )

        self.assertIn("was: 550 5.1.1 <nobody@postfix.test>", daemon.log())
        self.assertIn(b"STARTTLS", tap.octets)
        self.assertNotIn(b"RCPT TO:", tap.octets)


class CalledTests(CalloutCase):
    """Exim asks our daemon about senders."""

    def test_senders(self) -> None:
        """Exim takes mail of those we know, though we ask Exim about its senders too."""
        ours = self.caller(9, "sender/callout=10s")
        exim = EximWithACLs(
            next_port=ours.port,  # type: ignore[arg-type]
            rcpt="  require verify = sender/callout=10s\n" + UNKNOWN,
        )
        self.keep(exim)
        ours.rewrite("127.0.0.1::9", f"127.0.0.1::{exim.port}")
        ours.rewrite(
            "  accept domains = +local_domains\n",
            "  accept domains = +local_domains\n         endpass\n"
            "         verify = recipient\n",
        )

        with smtplib.SMTP("127.0.0.1", exim.port, timeout=30) as client:
            client.ehlo("client.test")
            client.mail("user@ours.test")
            self.assertEqual(250, client.rcpt("user@exim.test")[0])
            client.rset()
            client.mail("nobody@ours.test")
            self.assertEqual(550, client.rcpt("user@exim.test")[0])
        good = self.rcpt(ours, "user@ours.test", sender="user@exim.test")
        bad = self.rcpt(ours, "user@ours.test", sender="nobody@exim.test")

        self.assertEqual(([250], [550]), (good, bad))
        self.assertIn(b"Called:   127.0.0.1\n", self.replies[0][1])
