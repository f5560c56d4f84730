"""Tests of mta.acl.address_verification: what comes of callouts."""

from __future__ import annotations

from mta.callout import CalloutAnswer
from mta.expand.context import Context
from mta.taint import is_tainted
from mta.testing import FakeVerification, FakeVerifier
from tests.acl.case import ACLCase

YES = FakeVerification(answer=CalloutAnswer("192.0.2.1", 25, "RCPT TO:<x>", "250 OK"))
NO = FakeVerification(
    "fail",
    "h [192.0.2.1]: refused",
    failure="recipient",
    answer=CalloutAnswer("192.0.2.1", 25, "RCPT TO:<x>", "550 Unknown"),
)
LATER = FakeVerification(
    "defer", "h [192.0.2.1]: later", answer=CalloutAnswer("192.0.2.1", 25)
)


class RecipientCalloutTests(ACLCase):
    """verify = recipient/callout."""

    def test_accepted(self) -> None:
        """A host's yes makes both parts of the address usable everywhere."""
        self.verifier.unknown = YES

        self.assertTrue(self.is_true("verify = recipient/callout"))

        values = self.run.context.values
        self.assertEqual("[192.0.2.1]:25", values["callout_address"])
        self.assertEqual("example.com", values["domain_data"])
        self.assertEqual("Bob", values["local_part_data"])
        self.assertFalse(is_tainted(values["local_part_data"]))

    def test_random(self) -> None:
        """A host that takes everything says nothing of the address."""
        self.verifier.unknown = FakeVerification(failure="random", answer=YES.answer)

        self.assertTrue(self.is_true("verify = recipient/callout"))
        self.assertNotIn("local_part_data", self.run.context.values)

    def test_refused(self) -> None:
        """The client reads what the host said, the log also where it was said."""
        self.verifier.unknown = NO

        verdict = self.verdict("require verify = recipient/callout")

        self.assertEqual("Callout verification failed:\n550 Unknown", verdict.message)
        self.assertEqual("h [192.0.2.1]: refused", verdict.log_message)

    def test_doubt(self) -> None:
        """Hosts that cannot be asked defer, unless that is let pass."""
        self.verifier.unknown = LATER

        verdict = self.verdict("require verify = recipient/callout")

        text = "Could not complete recipient verify callout"
        self.assertEqual("defer", verdict.outcome.value)
        self.assertEqual((text, True), (verdict.message, verdict.show_details))
        self.assertEqual(f"{text}: h [192.0.2.1]: later", verdict.log_message)
        for options in ("callout=defer_ok", "callout/defer_ok"):
            self.assertTrue(self.is_true(f"verify = recipient/{options}"))

    def test_doubt_of_routing(self) -> None:
        """``callout=defer_ok`` lets no doubt of routing pass."""
        self.verifier.unknown = FakeVerification("defer", "no DNS")

        outcome = self.outcome("accept verify = recipient/callout=defer_ok")

        self.assertEqual("defer", outcome)

    def test_asked_once_each(self) -> None:
        """Each callout is asked once, and the routing alone is another question."""
        for _ in range(2):
            self.outcome("accept verify = recipient")
            self.outcome("accept verify = recipient/callout")
            self.outcome("accept verify = recipient/callout=random")

        self.assertEqual(3, len(self.verifier.asked))

    def test_mode(self) -> None:
        """Routers can tell what is verified; the ACL itself sees nothing of it."""
        modes = []

        async def ask(address: object, context: Context, **how: object) -> object:
            modes.append(context.values["verify_mode"])
            return YES

        self.patch(FakeVerifier, "verify_recipient", staticmethod(ask))
        self.patch(FakeVerifier, "verify_sender", staticmethod(ask))
        self.outcome("require verify = recipient\nverify = sender")

        self.assertEqual(["R", "S"], modes)
        self.assertNotIn("verify_mode", self.run.context.values)

    def test_redirection(self) -> None:
        """It can be enough that the address is redirected."""
        self.outcome("accept verify = recipient/success_on_redirect/callout")

        self.assertFalse(self.verifier.follows_redirects)


class SenderCalloutTests(ACLCase):
    """verify = sender/callout."""

    def test_refused(self) -> None:
        """What the host said is kept for the client."""
        self.verifier.unknown = NO

        verdict = self.verdict("require verify = sender/callout")

        self.assertEqual("Sender verify failed", verdict.message)
        failure = self.transaction.sender_failure
        assert failure is not None
        self.assertEqual(
            "Called:   192.0.2.1\nSent:     RCPT TO:<x>\nResponse: 550 Unknown",
            failure.user_text,
        )
        self.assertEqual("h [192.0.2.1]: refused", failure.log_text)

    def test_doubt(self) -> None:
        """It is said that it was the callout that could not be made."""
        self.verifier.unknown = LATER

        verdict = self.verdict("require verify = sender/callout")

        text = "Could not complete sender verify callout"
        self.assertEqual((text, True), (verdict.message, verdict.show_details))
        self.assertTrue(self.is_true("verify = sender/callout=defer_ok"))

    def test_doubled_slash(self) -> None:
        """A doubled slash in the address is a literal one."""
        self.outcome("accept verify = sender=a//b@c.d/callout")

        self.assertEqual([("sender", "a/b@c.d")], self.verifier.asked)
