"""Mail that cannot be delivered comes back, by us and by other hosts."""

from __future__ import annotations

from pathlib import Path

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send, swaks
from tests.interop.peers import Exim, Peer, Postfix
from tests.interop.programs import wait_for

REFUSING = """\
  deny local_parts = unknown
       message = nobody of that name here
  accept domains"""
# Whatever has a sender is refused once its recipients are known; reports are taken.
EXIM_TAKES_REPORTS = """\
acl_smtp_predata = ${if eq{$sender_address}{}{accept}{deny}}
chunking_advertise_hosts =
"""
POSTFIX_KNOWS_NO_UNKNOWN = (
    "transport_maps = inline:{unknown@postfix.test=error:nobody-of-that-name}"
)


def new_messages(maildir: Path, count: int) -> list[bytes]:
    """Wait until a Maildir has so many messages; return them."""
    new = maildir / "new"
    wait_for(
        lambda: new.is_dir() and len(list(new.iterdir())) >= count, 20, str(maildir)
    )
    return [path.read_bytes() for path in new.iterdir()]


class BounceTests(DaemonTestCase):
    """A host refuses what another has accepted; the sender's host gets the report."""

    def pair(self, peer: type[Exim | Postfix], extra: str) -> tuple[Daemon, Peer]:
        daemon = self.daemon(runs=False)
        other = peer(daemon.port, extra)
        self.keep(other)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{other.port} ")
        daemon.run()
        return daemon, other

    def check_our_report(self, daemon: Daemon, peer: Exim | Postfix, name: str) -> None:
        """Check that the host gets our report of what it refused."""
        sent = swaks(
            daemon.port, "--from", f"user@{name}", "--to", f"unknown@{name}"
        )  # fmt: skip
        self.assertEqual(0, sent.returncode, sent.stdout)

        (report,) = new_messages(peer.maildir, 1)

        self.assertIn(b"Content-Type: multipart/report", report)
        self.assertIn(f"Final-Recipient: rfc822;unknown@{name}".encode(), report)
        self.assertIn(b"\nAction: failed", report)
        self.assertRegex(report, rb"\nDiagnostic-Code: smtp; 5\d\d")
        self.assertIn(b"X-Mailer: swaks", report)
        daemon.wait_for_log(f"=> user@{name} R=onward T=smtp")
        self.assertIn(f"** unknown@{name} R=onward T=smtp", daemon.log())

    def check_their_report(self, daemon: Daemon, peer: Peer) -> None:
        """Check that the host's report of what we refused gets into a Maildir."""
        daemon.rewrite("  accept domains", REFUSING)
        sent = swaks(peer.port, "--to", "unknown@ours.test")
        self.assertEqual(0, sent.returncode, sent.stdout)

        (report,) = daemon.wait_for_mail(name="sender")

        self.assertTrue(report.startswith(b"Return-path: <>\n"), report)
        self.assertIn(b"nobody of that name here", report)
        self.assertIn("rejected RCPT <unknown@ours.test>", daemon.log())

    def test_exim(self) -> None:
        """Exim gets our report of what it refused."""
        daemon, exim = self.pair(Exim, EXIM_TAKES_REPORTS)
        assert isinstance(exim, Exim)

        self.check_our_report(daemon, exim, "exim.test")

    def test_from_exim(self) -> None:
        """Exim's report of what we refused arrives."""
        self.check_their_report(*self.pair(Exim, ""))

    def test_postfix(self) -> None:
        """Postfix, both ways."""
        daemon, postfix = self.pair(Postfix, POSTFIX_KNOWS_NO_UNKNOWN)
        assert isinstance(postfix, Postfix)

        self.check_our_report(daemon, postfix, "postfix.test")
        self.check_their_report(daemon, postfix)


class DelayTests(DaemonTestCase):
    """A message waits for a host that is not there."""

    def test_warning(self) -> None:
        """Its sender is told once that it waits, and no more."""
        daemon = self.daemon(main="delay_warning = 1s")
        send(daemon.port, "someone@far.test")

        (warning,) = daemon.wait_for_mail(name="sender")

        self.assertIn(b"\nAction: delayed\n", warning)
        self.assertIn(b"\nFinal-Recipient: rfc822;someone@far.test\n", warning)
        self.assertRegex(warning, rb"\nSubject: Warning: message \S+ delayed ")
        tries = daemon.log().count("== someone@far.test")
        wait_for(
            lambda: daemon.log().count("== someone@far.test") > tries + 1, 20, "tries"
        )
        self.assertEqual(1, len(daemon.mailbox("sender")))
        self.assertEqual(b"1", daemon.command("-bpc").stdout.strip())


class LoopTests(DaemonTestCase):
    """A route that leads back here."""

    def test_end(self) -> None:
        """A message goes round until its Received: fields are too many, then returns."""
        daemon = self.daemon(main="received_headers_max = 12", runs=False)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{daemon.port} ")
        daemon.run()
        send(daemon.port, "someone@far.test")

        (bounce,) = daemon.wait_for_mail(name="sender")

        self.assertIn(b"\nFinal-Recipient: rfc822;someone@far.test\n", bounce)
        self.assertIn(b"suspected mail loop", bounce)
        arrivals = daemon.log().count(" <= sender@ours.test ")
        self.assertEqual(12, arrivals)
        self.assertEqual(b"0", daemon.command("-bpc").stdout.strip())
