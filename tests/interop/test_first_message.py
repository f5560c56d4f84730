"""The main job with real programs: mail in, mail on, mail back."""

from __future__ import annotations

import re
import smtplib
import subprocess

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, swaks
from tests.interop.peers import Exim, Postfix, SMTPSink
from tests.interop.programs import environment, program, wait_for


class SwaksTests(DaemonTestCase):
    """swaks sends; the Maildir has it."""

    def test_clear(self) -> None:
        """A message arrives with our trace fields, and the log tells its life."""
        daemon = self.daemon()

        sent = swaks(daemon.port, "--header", "Subject: hello")
        self.assertEqual(0, sent.returncode, sent.stdout)
        (message,) = daemon.wait_for_mail()
        self.assertIn(b"\nSubject: hello\n", message)
        self.assertTrue(message.startswith(b"Return-path: <sender@ours.test>\n"))
        self.assertRegex(
            message,
            rb"\nReceived: from \[127\.0\.0\.1\] \(helo=client\.test\)\n\tby ours\.test",
        )
        daemon.wait_for_log("Completed")
        self.assertRegex(
            daemon.log(),
            r"<= sender@ours\.test H=\(client\.test\) \[127\.0\.0\.1\] P=esmtp S=\d+",
        )
        self.assertIn("=> user <user@ours.test> R=local T=maildir\n", daemon.log())

    def test_starttls(self) -> None:
        """Inside TLS, with the certificate that the daemon makes for itself."""
        daemon = self.daemon()

        sent = swaks(daemon.port, "-tls")
        self.assertEqual(0, sent.returncode, sent.stdout)
        daemon.wait_for_mail()
        self.assertRegex(daemon.log(), r"P=esmtps X=TLS1\.[23]:\S+ CV=no")

    def test_pipelining(self) -> None:
        """Commands that come together get their replies in order."""
        daemon = self.daemon()

        sent = swaks(
            daemon.port,
            "--pipeline",
            "--to",
            "user@ours.test,nobody@x.test,sender@ours.test",
        )
        self.assertEqual(0, sent.returncode, sent.stdout)
        daemon.wait_for_mail()
        daemon.wait_for_mail(name="sender")

    def test_refused(self) -> None:
        """Strangers cannot relay, and unknown users are told of."""
        daemon = self.daemon(runs=False)
        daemon.rewrite("relay_from_hosts = 127.0.0.1", "relay_from_hosts = 192.0.2.9")
        daemon.run()

        sent = swaks(daemon.port, "--to", "someone@far.test")
        self.assertEqual(24, sent.returncode, sent.stdout)
        self.assertIn("550 relay not permitted", sent.stdout)
        self.assertIn(
            "rejected RCPT <someone@far.test>: relay not permitted", daemon.log()
        )

    def test_large(self) -> None:
        """A message of five megabytes arrives whole."""
        daemon = self.daemon()
        line = b"0123456789" * 7 + b"\r\n"
        body = line * 70_000

        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=60) as client:
            client.sendmail(
                "sender@ours.test", ["user@ours.test"], b"Subject: x\r\n\r\n" + body
            )
        (message,) = daemon.wait_for_mail()
        self.assertEqual(body.replace(b"\r\n", b"\n"), message.partition(b"\n\n")[2])


class OtherHostsTests(DaemonTestCase):
    """A second host takes what is relayed to it, and sends back."""

    def check_both_ways(
        self, peer: Exim | Postfix, daemon: Daemon, domain: str
    ) -> None:
        sent = swaks(daemon.port, "--to", f"user@{domain}", "--body", "there")
        self.assertEqual(0, sent.returncode, sent.stdout)
        daemon.wait_for_log("Completed")
        self.assertRegex(
            daemon.log(),
            rf"=> user@{re.escape(domain)} R=onward T=smtp H=127\.0\.0\.1 \[127\.0\.0\.1\].* "
            'C="250[ -]',
        )
        sent = swaks(peer.port, "--body", "back")
        self.assertEqual(0, sent.returncode, sent.stdout)
        (message,) = daemon.wait_for_mail()
        self.assertIn(b"back", message)

    def test_exim(self) -> None:
        """Exim."""
        daemon = self.daemon(runs=False)
        exim = Exim(daemon.port)
        self.keep(exim)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{exim.port} ")
        daemon.run()

        self.check_both_ways(exim, daemon, "exim.test")
        self.assertEqual(1, len(list((exim.maildir / "new").iterdir())))

    def test_postfix(self) -> None:
        """Postfix."""
        daemon = self.daemon(runs=False)
        postfix = Postfix(daemon.port)
        self.keep(postfix)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{postfix.port} ")
        daemon.run()

        self.check_both_ways(postfix, daemon, "postfix.test")
        self.assertEqual(1, len(list((postfix.maildir / "new").iterdir())))

    def test_many_connections(self) -> None:
        """What smtp-source pours in goes on to smtp-sink, on few connections."""
        sink = SMTPSink()
        self.keep(sink)
        daemon = self.daemon(sink.port)

        subprocess.run(
            [program("smtp-source"), "-s", "5", "-m", "50", "-l", "3000", "-f", "sender@ours.test",
             "-t", "user@far.test", f"127.0.0.1:{daemon.port}"],
            check=True, timeout=60, env=environment(),
        )  # fmt: skip
        wait_for(lambda: daemon.log().count(" Completed\n") == 50, 30, "50 messages")
        self.assertEqual(50, daemon.log().count(" => user@far.test "))


class DeadHostTests(DaemonTestCase):
    """A host that is not there."""

    def test_wait_and_bounce(self) -> None:
        """A message waits, the queue shows why, and in the end it is returned."""
        daemon = self.daemon(
            9, retry="* * F,12s,2s", main="ignore_bounce_errors_after = 0s"
        )

        sent = swaks(daemon.port, "--to", "someone@far.test")
        self.assertEqual(0, sent.returncode, sent.stdout)
        daemon.wait_for_log("== someone@far.test")
        listing = daemon.command("-bp").stdout.decode()
        self.assertRegex(
            listing,
            r"<sender@ours\.test>\n {10}someone@far\.test  "
            r"\(127\.0\.0\.1 \[127\.0\.0\.1\]: Connection refused\)\n",
        )
        plain = daemon.command("-bpu").stdout.decode()
        self.assertIn("\n          someone@far.test\n", plain)
        self.assertRegex(
            daemon.log(),
            r"== someone@far\.test R=onward T=smtp defer \(111\): Connection refused",
        )
        (bounce,) = daemon.wait_for_mail(name="sender", seconds=60)
        self.assertIn(b"\nReturn-path: <>\n", b"\n" + bounce)
        self.assertIn(b"multipart/report", bounce)
        self.assertIn(b"Final-Recipient: rfc822;someone@far.test", bounce)
        self.assertIn(b"Action: failed", bounce)
        self.assertEqual(b"", daemon.command("-bp").stdout)
