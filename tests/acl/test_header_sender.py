"""Tests of mta.acl.header_sender."""

from __future__ import annotations

from collections.abc import Mapping

from mta.acl.header_sender import ADDRESS_LIMIT
from mta.acl.registry import Phase
from mta.acl.run import ACLVerdict
from mta.callout import Callout, CalloutAnswer, CalloutSender
from mta.message import HeaderSection
from mta.taint import Tainted
from mta.testing import FakeVerification
from tests.acl.case import ACLCase

FAIL = FakeVerification("fail", "no such user", failure="route")
DEFER = FakeVerification("defer", "later", answer=CalloutAnswer("192.0.2.1", 25))


class HeaderSenderTests(ACLCase):
    """verify = header_sender."""

    def judge(
        self, *fields: str, options: str = "", values: Mapping[str, str] = {}
    ) -> ACLVerdict:
        """Return what is said of a header section."""
        content = "".join(f"{field}\r\n" for field in fields).encode()
        self.transaction.early_message().header = HeaderSection(content)
        return self.verdict(
            f"require verify = header_sender{options}\naccept",
            Phase.DATA,
            values=values,
        )

    def test_one_is_enough(self) -> None:
        """One address that can be verified is enough, in any of the fields."""
        self.verifier.senders["a@b.c"] = FAIL

        for fields in (
            ["From: a@b.c, d@e.f"],
            ["From: a@b.c", "Reply-To: d@e.f"],
            ["Sender: d@e.f"],
        ):
            self.assertEqual("accept", self.judge(*fields).outcome.value)

    def test_none(self) -> None:
        """Without one the message is refused, and the client not told why."""
        self.verifier.unknown = FAIL

        for fields in (["From: a@b.c"], ["To: x@y.z"], ["From: group:;"]):
            verdict = self.judge(*fields)

            self.assertEqual("deny", verdict.outcome.value)
            self.assertEqual("", verdict.message)
            self.assertEqual(
                "there is no valid sender in any header line", verdict.log_message
            )

    def test_malformed(self) -> None:
        """An address that is none refuses the message."""
        verdict = self.judge("From: a@, d@e.f")

        self.assertEqual("deny", verdict.outcome.value)
        self.assertIn("syntax error in 'From:' header", verdict.log_message)

    def test_doubt(self) -> None:
        """Where one may be verified later, the message is to come again."""
        self.verifier.senders["a@b.c"] = DEFER
        self.verifier.unknown = FAIL

        verdict = self.judge("From: a@b.c, d@e.f")

        self.assertEqual("defer", verdict.outcome.value)
        self.assertIn("deferred", verdict.log_message)

    def test_doubt_let_pass(self) -> None:
        """A doubt is let pass where the callout's options say so."""
        self.verifier.unknown = DEFER

        verdict = self.judge("From: a@b.c", options="/callout=defer_ok")

        self.assertEqual("accept", verdict.outcome.value)

    def test_sender(self) -> None:
        """The callout's sender is expanded, and comes from the wire as an address."""
        values = {"x": Tainted("a@sender.example")}

        self.judge("From: a@b.c", options="/callout=mailfrom=$x", values=values)

        callout = self.verifier.callouts[0]
        assert isinstance(callout, Callout)
        self.assertIs(CalloutSender.GIVEN, callout.sender)
        self.assertEqual("a@sender.example", callout.given_sender.text)

    def test_many(self) -> None:
        """A header section does not cost more callouts than some."""
        self.verifier.unknown = FAIL
        addresses = ",".join(f"a{number}@b.c" for number in range(50))

        verdict = self.judge(f"From: {addresses}")

        self.assertEqual("deny", verdict.outcome.value)
        self.assertEqual(ADDRESS_LIMIT, len(self.verifier.asked))
