"""The history of TLS, from real deliveries to the command and to reports."""

from __future__ import annotations

import email
import email.policy
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import dns.rdatatype
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mta.assembly import assemble
from mta.delivery.tls_results import (
    DAY_SECONDS,
    TLSResults,
    day_of,
    results_path,
)
from mta.parts import Parts, build_parts, build_tls_reports
from mta.tls.verdict import TLSVerdict, met, unmet
from tests.dns.server import NameServer, response
from tests.interop.daemon import Daemon
from tests.interop.daemon_case import send
from tests.interop.programs import wait_for
from tests.stack.test_two_servers import STRANGER, VERIFYING, TwoServersTestCase
from tests.transports.delivering import open_directory

CONFIGURATION = """\
primary_hostname = ours.test
spool_directory = {directory}/spool
dns_servers = <; 127.0.0.1:{port}
tls_rpt = true
tls_rpt_from = tls@ours.test
begin routers
local:
  driver = accept
  local_parts = user
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {directory}/mail/$local_part_data
  maildir_format
"""


class StatusTests(TwoServersTestCase):
    """What ``mta tls-status`` says of deliveries that were made."""

    def known(self, daemon: Daemon, *words: str) -> dict[str, Any]:
        """Return what the command says, once it says anything."""
        found: dict[str, Any] = {}

        def ask() -> bool:
            result = daemon.command("tls-status", "--json", *words)
            self.assertEqual(result.stderr, b"")
            found.update(json.loads(result.stdout), status=result.returncode)
            return bool(found.get("results") or found.get("deliveries"))

        wait_for(ask, 20, "results")
        return found

    def test_delivered(self) -> None:
        """A delivery is in the log with its verdict, and in the history."""
        sending, taking = self.pair(
            ours=VERIFYING, offered="log_selector = +tls_verdict"
        )
        send(sending.port, "user@theirs.test")
        taking.wait_for_mail()
        sending.wait_for_log("Completed")

        self.assertRegex(sending.log(), r' => .* TLSV="tls=yes chain=yes! name=yes! ')

        [result] = self.known(sending)["results"]
        self.assertEqual((result["sessions"], result["deliveries"]), (1, 1))
        self.assertEqual(result["verdict"]["host"], "127.0.0.1")
        self.assertTrue(result["verdict"]["chain"]["met"])

        foreseen = self.known(sending, "--if", "hosts_require_ocsp=127.0.0.1")
        self.assertEqual(foreseen["status"], 2)
        [delivery] = foreseen["deliveries"]
        self.assertEqual(delivery["option"], "hosts_require_ocsp")
        foreseen = self.known(sending, "--if", "hosts_require_tls=127.0.0.1")
        self.assertEqual(foreseen["status"], 0)

    def test_not_delivered(self) -> None:
        """So is one that came to nothing, and it is known after a restart."""
        sending, _ = self.pair(
            ours=VERIFYING, issuer=STRANGER, offered="log_selector = +tls_verdict"
        )
        send(sending.port, "user@theirs.test")
        sending.wait_for_log("== user@theirs.test")
        self.assertRegex(sending.log(), r' == .* TLSV="tls=no \(.*chain=no! \(')
        sending.end()

        [result] = self.known(sending)["results"][:1]
        self.assertEqual(result["deliveries"], 0)
        self.assertFalse(result["verdict"]["chain"]["met"])


class ReportTests(TestCase):
    """A report, from the history to a mailbox."""

    timeout = 60

    async def test_mailed(self) -> None:
        """Who asks for reports by mail finds one in the mailbox."""
        server = NameServer(self.answer)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        parts = self.start(server.address[1])
        self.addCleanup(lambda: Deferred.fromCoroutine(parts.stop()))
        self.record()
        now = time.time()
        # At the end of the day, when every host has begun to report.
        today = (day_of(now) + 1) * DAY_SECONDS - 1.0
        self.patch(parts.assembly.site, "clock", lambda: today)
        reports = build_tls_reports(parts, reactor)
        assert reports is not None

        await reports.send_due()
        await reports.send_due()
        [octets] = await self.mailbox(parts)

        message = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual(message["TLS-Report-Domain"], "theirs.test")
        _, attachment = message.get_payload()
        report = json.loads(gzip.decompress(attachment.get_payload(decode=True)))
        self.assertEqual(report["contact-info"], "tls@ours.test")
        [policy] = report["policies"]
        self.assertEqual(
            policy["summary"],
            {"total-successful-session-count": 1, "total-failure-session-count": 1},
        )
        [detail] = policy["failure-details"]
        self.assertEqual(detail["result-type"], "starttls-not-supported")

    def start(self, port: int) -> Parts:
        """Return the parts of an MTA that asks our name server."""
        self.directory = open_directory(self)
        path = os.path.join(self.directory, "mta.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(directory=self.directory, port=port))
            if os.geteuid() == 0:
                file.write("  user = mail\n")
        parts = build_parts(assemble([path], {}, reactor=lambda: reactor), reactor)
        parts.start()
        parts.runner.startService()
        self.addCleanup(parts.runner.stopService)
        return parts

    def record(self) -> None:
        """Have had two connections yesterday."""
        yesterday = time.time() - DAY_SECONDS
        path = results_path(os.path.join(self.directory, "spool"))
        results = TLSResults(path, clock=lambda: yesterday)
        results.record("theirs.test", TLSVerdict(tls=met()), sessions=1)
        results.record("theirs.test", TLSVerdict(tls=unmet("not offered")), sessions=1)
        results.close()

    def answer(self, query: Any) -> list[bytes]:
        """Answer as the DNS of ``theirs.test``."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        if name == "_smtp._tls.theirs.test" and question.rdtype == dns.rdatatype.TXT:
            text = '"v=TLSRPTv1; rua=mailto:" "user@ours.test"'
            found = response(query, (f"{name}.", 300, "IN", "TXT", text))
        else:
            found = response(query, code=3)
        return [found.to_wire()]

    async def mailbox(self, parts: Parts) -> list[bytes]:
        """Return what is in the mailbox, once there is anything."""
        here: Any = reactor
        for _ in range(200):
            if self.messages():
                break
            await deferLater(here, 0.1, lambda: None)
        await parts.runner.when_idle()
        return self.messages()

    def messages(self) -> list[bytes]:
        """Return what is in the mailbox now."""
        folder = Path(self.directory, "mail", "user", "new")
        return [path.read_bytes() for path in folder.glob("*")]
