"""Refusals for the client and for the logs."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.acl.run import ACLOutcome, ACLVerdict, SenderFailure
from mta.address import parse_address
from mta.connection import TLSFacts
from mta.log import DEFAULT_SELECTORS
from mta.message import HeaderSection, Recipient
from mta.reception.rejection import (
    coded_reply,
    command_argument,
    log_refusal,
    refusal,
    rejected_content,
)
from mta.taint import Tainted
from mta.testing import MemoryLogs
from tests.acl.case import ACLCase

DENY, DEFER, DROP, ERROR = (
    ACLOutcome.DENY,
    ACLOutcome.DEFER,
    ACLOutcome.DROP,
    ACLOutcome.ERROR,
)


class CodedReplyTests(ACLCase):
    """An ACL's message as a reply."""

    def test_codes(self) -> None:
        """Code and enhanced status code come from the message."""
        for text, wanted in {
            "no": "550 no",
            "554 no": "554 no",
            "550 5.7.1 no": "550 5.7.1 no",
            "550 5.7.1 no\nand no": "550-5.7.1 no\n550 5.7.1 and no",
        }.items():
            self.assertEqual(wanted, str(coded_reply(550, text, self.logs)))
        self.assertEqual([], self.logs.panic_lines)

    def test_other_class(self) -> None:
        """A code of another class is not used, and somebody must know."""
        reply = coded_reply(550, "450 4.7.1 later", self.logs)

        self.assertEqual("550 later", str(reply))
        self.assertIn("incorrect digit (expected 5)", self.logs.panic_lines[0][0])

    def test_any_class(self) -> None:
        """VRFY may be answered with any code."""
        reply = coded_reply(252, "550 no", self.logs, any_class=True)

        self.assertEqual("550 no", str(reply))

    def test_tainted_text(self) -> None:
        """A client's words cannot add lines to a reply but at line feeds."""
        reply = coded_reply(550, Tainted("a\r\n250 b"), self.logs)

        self.assertEqual(b"550-a \r\n550 250 b\r\n", reply.encode())


class RefusalTests(ACLCase):
    """The reply to a refused command."""

    def refused(self, verdict: ACLVerdict, phase: Phase = Phase.RCPT) -> str:
        """Return the reply."""
        return str(refusal(verdict, self.new_run(phase), self.transaction))

    def test_default_texts(self) -> None:
        """Without a message the codes and texts are Exim's."""
        for outcome, phase, wanted in (
            (DENY, Phase.RCPT, "550 Administrative prohibition"),
            (DROP, Phase.RCPT, "550 Administrative prohibition"),
            (DENY, Phase.AUTH, "503 Administrative prohibition"),
            (DENY, Phase.VRFY, "252 Administrative prohibition"),
            (DENY, Phase.ETRN, "458 Administrative prohibition"),
            (DEFER, Phase.RCPT, "451 Temporary local problem - please try later"),
            (ERROR, Phase.VRFY, "451 Temporary local problem - please try later"),
        ):
            self.assertEqual(wanted, self.refused(ACLVerdict(outcome), phase))

    def test_details(self) -> None:
        """The message of a defer is shown only where it may be."""
        hidden = ACLVerdict(DEFER, "secret", "secret")
        shown = ACLVerdict(DEFER, "later", "later", True)
        error = ACLVerdict(ERROR, "secret", "secret", True)

        self.assertNotIn("secret", self.refused(hidden))
        self.assertEqual("451 later", self.refused(shown))
        self.assertNotIn("secret", self.refused(error))

    def test_sender_failure(self) -> None:
        """Why the sender failed is told once, before the reply."""
        self.transaction.sender_failure = SenderFailure(
            "a@b.c", False, "no route", "no such user"
        )
        verdict = ACLVerdict(DENY, "Sender verify failed")

        self.assertEqual(
            "550-Verification failed for <a@b.c>\n550-no such user\n"
            "550 Sender verify failed",
            self.refused(verdict),
        )
        self.assertEqual("550 Sender verify failed", self.refused(verdict))
        self.assertEqual(
            ["H=[192.0.2.7] sender verify fail for <a@b.c>: no route"],
            [text for text, _ in self.logs.reject_lines],
        )

    def test_one_line(self) -> None:
        """A client that reads one line only gets one."""
        self.transaction.sender_failure = SenderFailure("a@b.c", False, "x", "x")
        self.transaction.controls.multiline_replies = False

        self.assertEqual("550 a", self.refused(ACLVerdict(DENY, "a\nb")))


class LogRefusalTests(ACLCase):
    """The line of a refused command."""

    def line(
        self,
        phase: Phase,
        argument: str = "",
        *,
        outcome: ACLOutcome = DENY,
        text: str = "no",
    ) -> str:
        """Return the line."""
        self.connection.command_argument = Tainted(argument)
        run = self.new_run(phase)
        log_refusal(ACLVerdict(outcome, text, text), run)
        return self.logs.lines[-1] if self.logs.lines else ""

    def test_what(self) -> None:
        """The command is shown as it was typed."""
        client, sender = "H=[192.0.2.7]", "F=<a@sender.example>"
        for phase, argument, wanted in (
            (Phase.RCPT, "TO:<b@c.d>", f"{client} {sender} rejected RCPT <b@c.d>: no"),
            (Phase.RCPT, "to: <b@c.d>", f"{client} {sender} rejected RCPT <b@c.d>: no"),
            (
                Phase.MAIL,
                "FROM:<a@b.c> SIZE=1",
                f"{client} rejected MAIL <a@b.c> SIZE=1: no",
            ),
            (Phase.HELO, "x", f"{client} rejected EHLO or HELO x: no"),
            (Phase.CONNECT, "", f'{client} rejected connection in "connect" ACL: no'),
            (Phase.PREDATA, "", f"{client} rejected DATA: no"),
            (Phase.DATA, "", f"{client} {sender} rejected after DATA: no"),
            (Phase.AUTH, "PLAIN c2VjcmV0", f"{client} rejected AUTH PLAIN: no"),
            (Phase.STARTTLS, "", f"{client} rejected STARTTLS: no"),
        ):
            self.assertEqual(wanted, self.line(phase, argument))

    def test_temporarily(self) -> None:
        """A refusal for now says so."""
        for outcome in (DEFER, ERROR):
            line = self.line(Phase.HELO, "x", outcome=outcome, text="")

            self.assertEqual("H=[192.0.2.7] temporarily rejected EHLO or HELO x", line)

    def test_session(self) -> None:
        """TLS and the authenticated user are shown."""
        self.connection.tls = TLSFacts("TLS1.3", "TLS1.3:X:256")
        self.connection.authenticator = "plain"
        self.connection.authenticated_id = "bob"

        self.assertEqual(
            "H=[192.0.2.7] X=TLS1.3:X:256 CV=no F=<a@sender.example> A=plain:bob "
            "rejected RCPT <b@c.d>: no",
            self.line(Phase.RCPT, "TO:<b@c.d>"),
        )

    def test_first_line(self) -> None:
        """Only the first line of a text is logged."""
        self.assertTrue(self.line(Phase.HELO, "x", text="a\nb").endswith(": a"))

    def test_long_argument(self) -> None:
        """A long argument is cut."""
        self.assertEqual(100, len(command_argument("TO:<" + "x" * 500)))

    def test_connection_reject(self) -> None:
        """Refused connections are logged as a log selector says."""
        self.logs = MemoryLogs(DEFAULT_SELECTORS - {"connection_reject"})

        self.assertEqual("", self.line(Phase.CONNECT))

    def test_no_log(self) -> None:
        """An ACL can choose the logs, or none."""
        run = self.new_run(Phase.HELO)
        run.log_targets = ()
        log_refusal(ACLVerdict(DENY), run)
        self.assertEqual([], self.logs.lines)

        run.log_targets = ("main",)
        log_refusal(ACLVerdict(DENY), run)
        self.assertEqual((1, 0), (len(self.logs.lines), len(self.logs.reject_lines)))


class RejectedContentTests(ACLCase):
    """What the reject log keeps of a refused message."""

    def test_envelope_and_fields(self) -> None:
        """Sender, recipients and every field with its letter."""
        message = self.transaction.early_message()
        message.recipients = [
            Recipient(parse_address(text)) for text in ("b@c.d", "e@f.g")
        ]
        message.header = HeaderSection(
            b"Received: x\r\n y\r\nFrom: a@b.c\r\nX-Odd: \x1b[31m\r\n"
        )

        self.assertEqual(
            "Envelope-from: <a@sender.example>\nEnvelope-to: <b@c.d>\n    <e@f.g>\n"
            "P Received: x\n y\nF From: a@b.c\n  X-Odd: \\033[31m\n",
            rejected_content(message),
        )

    def test_after_data_only(self) -> None:
        """It stands in the reject log after a refusal of the content."""
        run = self.new_run(Phase.DATA)

        log_refusal(ACLVerdict(DENY), run)

        self.assertTrue(self.logs.details[0].startswith("Envelope-from: <a@"))
