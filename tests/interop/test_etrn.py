"""ETRN: a host asks for what waits for it (RFC 1985)."""

from __future__ import annotations

import smtplib

from tests.interop.peers import SMTPSink
from tests.interop.test_first_message import DaemonTestCase, swaks


class ETRNTests(DaemonTestCase):
    """A message waits, the host comes up and asks."""

    def test_asked(self) -> None:
        """What waits for the domain is delivered at once, whatever its time is."""
        daemon = self.daemon(
            9,
            retry="* * F,1h,1h",
            main="acl_smtp_etrn = accept\nlog_selector = +queue_run",
        )
        swaks(daemon.port, "--to", "someone@far.test")
        daemon.wait_for_log("== someone@far.test")
        sink = SMTPSink()
        self.keep(sink)
        daemon.rewrite("127.0.0.1::9 ", f"127.0.0.1::{sink.port} ")

        with smtplib.SMTP("127.0.0.1", daemon.port) as client:
            client.ehlo()
            self.assertTrue(client.has_extn("etrn"))
            self.assertEqual(250, client.docmd("ETRN #nobody.test")[0])
            self.assertEqual(250, client.docmd("ETRN #far.test")[0])
        daemon.wait_for_log("=> someone@far.test")
        self.assertIn("Start queue run: pid=", daemon.log())
        self.assertIn("-R far.test", daemon.log())
