"""verify = ..."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.address import NULL_PATH, parse_address
from mta.host import Answer, Outcome
from mta.message import HeaderSection, Recipient
from mta.taint import Tainted
from mta.testing import FakeVerification
from tests.acl.case import CLIENT, ACLCase

FAIL = FakeVerification("fail", "Unrouteable address", failure="route")
DEFER = FakeVerification("defer", "host lookup did not complete")


class RecipientTests(ACLCase):
    """verify = recipient."""

    def test_outcomes(self) -> None:
        """The verifier's word is final, and a doubt defers."""
        self.assertEqual("accept", self.outcome("accept verify = recipient"))
        self.transaction.verifications.clear()
        self.verifier.unknown = FAIL
        self.assertEqual("deny", self.outcome("accept verify = recipient"))
        self.transaction.verifications.clear()
        self.verifier.unknown = DEFER
        self.assertEqual("defer", self.outcome("accept verify = recipient"))

    def test_asked_once(self) -> None:
        """One recipient is verified once for a message."""
        for _ in range(3):
            self.outcome("accept verify = recipient")

        self.assertEqual([("recipient", "Bob@Example.com")], self.verifier.asked)

    def test_reason_in_the_same_statement(self) -> None:
        """$acl_verify_message is the reason, to the end of the statement."""
        self.verifier.unknown = FAIL

        self.outcome(
            "warn !verify = recipient\n"
            "set acl_m0 = <$acl_verify_message>\n"
            "warn continue = x\n"
        )

        variables = self.transaction.early_message().acl_variables
        self.assertEqual("<Unrouteable address>", variables["m0"])
        self.assertNotIn("acl_verify_message", self.run.context.values)

    def test_failure(self) -> None:
        """Reason and kind of the failure are known."""
        self.verifier.unknown = FAIL

        verdict = self.verdict("require verify = recipient")

        self.assertEqual("Unrouteable address", verdict.message)
        self.assertEqual("Unrouteable address", verdict.log_message)
        self.assertEqual("route", self.run.context.values["recipient_verify_failure"])

    def test_doubt(self) -> None:
        """The reason of a defer may be read where an administrator wrote it."""
        self.verifier.unknown = DEFER
        self.assertFalse(self.verdict("require verify = recipient").show_details)

        self.transaction.reset()
        self.verifier.unknown = FakeVerification("defer", "moving house", True)
        verdict = self.verdict("require verify = recipient")
        self.assertEqual(
            ("moving house", True), (verdict.message, verdict.show_details)
        )

    def test_defer_ok(self) -> None:
        """A doubt can be let pass, a failure not."""
        self.verifier.unknown = DEFER
        self.assertEqual("accept", self.outcome("accept verify = recipient/defer_ok"))

        self.transaction.reset()
        self.verifier.unknown = FAIL
        self.assertEqual("deny", self.outcome("accept verify = recipient/defer_ok"))

    def test_data(self) -> None:
        """What a router says of the address can be used."""
        self.verifier.unknown = FakeVerification(data="x=y")

        self.outcome("accept verify = recipient")

        self.assertEqual("x=y", self.recipient.address_data)

    def test_nothing_to_ask(self) -> None:
        """Without a verifier it is an error, never a pass."""
        self.verifier = None  # type: ignore[assignment]

        self.assertEqual("error", self.outcome("accept !verify = recipient"))


class SenderTests(ACLCase):
    """verify = sender."""

    def test_good(self) -> None:
        """The message then knows that its sender was verified."""
        self.assertTrue(self.is_true("verify = sender"))

        self.assertTrue(self.transaction.early_message().sender_verified)
        self.assertEqual([("sender", "a@sender.example")], self.verifier.asked)

    def test_null_path(self) -> None:
        """The null reverse-path needs no verification."""
        self.transaction.early_message().sender = NULL_PATH

        self.assertTrue(self.is_true("verify = sender"))
        self.assertEqual([], self.verifier.asked)

    def test_failure(self) -> None:
        """The texts are general; the details are kept to be told once."""
        self.verifier.unknown = FAIL

        verdict = self.verdict("require verify = sender")

        self.assertEqual("Sender verify failed", verdict.message)
        failure = self.transaction.sender_failure
        assert failure is not None
        self.assertEqual("Unrouteable address", failure.user_text)
        self.assertFalse(failure.told)
        self.assertFalse(self.transaction.early_message().sender_verified)

    def test_no_details(self) -> None:
        """The details can be kept back."""
        self.verifier.unknown = FAIL

        self.verdict("require verify = sender/no_details")

        failure = self.transaction.sender_failure
        self.assertTrue(failure is not None and failure.told)

    def test_doubt(self) -> None:
        """A doubt defers with a text of its own, unless it is let pass."""
        self.verifier.unknown = DEFER

        verdict = self.verdict("require verify = sender")

        self.assertEqual("defer", verdict.outcome.value)
        self.assertEqual("Could not complete sender verify", verdict.log_message)
        self.assertEqual("accept", self.outcome("accept verify = sender/defer_ok"))

    def test_other_address(self) -> None:
        """Another address can be verified as a sender."""
        self.verifier.senders["x@y.example"] = FAIL
        values = {"who": Tainted("x@y.example")}

        verdict = self.verdict("require verify = sender=$who", values=values)

        self.assertEqual("deny", verdict.outcome.value)
        self.assertTrue(self.is_true("verify = sender="))

    def test_other_address_malformed(self) -> None:
        """What is no address is an error."""
        verdict = self.verdict("accept verify = sender=$x", values={"x": "a b@"})

        self.assertEqual("error", verdict.outcome.value)

    def test_phases(self) -> None:
        """It may be asked for from MAIL to the end of the message."""
        for phase in (Phase.MAIL, Phase.PREDATA, Phase.DATA, Phase.NOT_SMTP):
            self.assertEqual("accept", self.outcome("accept verify = sender", phase))
        self.assertEqual("error", self.outcome("accept verify = sender", Phase.HELO))


class HELOTests(ACLCase):
    """verify = helo."""

    def said(self, name: str) -> bool:
        """Return whether a name in EHLO is verified."""
        self.connection.helo_verified = False
        self.connection.helo_name = Tainted(name)
        return self.is_true("verify = helo")

    def test_literal(self) -> None:
        """A literal must be the client's address."""
        self.assertTrue(self.said(f"[{CLIENT}]"))
        self.assertFalse(self.said("[192.0.2.8]"))
        self.connection.peer_address = "2001:db8::1"
        self.assertTrue(self.said("[IPv6:2001:DB8:0::1]"))

    def test_name_of_the_address(self) -> None:
        """The name that the client's address has counts, and every alias."""
        self.connection.host_name = "client.example"
        self.connection.host_aliases = ("other.example",)

        self.assertTrue(self.said("Client.Example."))
        self.assertTrue(self.said("other.example"))

    def test_address_of_the_name(self) -> None:
        """Else the name must have the client's address."""
        self.resolver.records["a.example", "A"] = [CLIENT]
        self.resolver.records["b.example", "A"] = ["192.0.2.8"]

        self.assertTrue(self.said("a.example"))
        self.assertFalse(self.said("b.example"))
        self.assertFalse(self.said("c.example"))
        self.assertFalse(self.said(""))

    def test_dnssec(self) -> None:
        """``$sender_helo_dnssec`` tells whether DNSSEC vouches for what was found."""
        secure = Answer(Outcome.FOUND, (CLIENT,), secure=True)
        self.resolver.records["a.example", "A"] = secure
        self.resolver.records["b.example", "A"] = [CLIENT]
        self.connection.host_name, self.connection.host_dnssec = "c.example", True
        self.connection.host_aliases = ("d.example",)
        for name, expected in (
            ("a.example", True),
            ("b.example", False),
            ("c.example", True),
            ("d.example", False),
        ):
            self.assertTrue(self.said(name))
            self.assertIs(self.connection.helo_dnssec, expected, name)

    def test_doubt(self) -> None:
        """Trouble with the DNS defers."""
        self.resolver.records["a.example", "A"] = Outcome.AGAIN
        self.connection.helo_name = "a.example"

        self.assertEqual("defer", self.outcome("accept verify = helo"))

    def test_local_caller(self) -> None:
        """A local caller's name is not in question."""
        self.connection.peer_address = ""

        self.assertTrue(self.said("whatever"))


class ReverseTests(ACLCase):
    """verify = reverse_host_lookup."""

    def setUp(self) -> None:
        super().setUp()
        self.connection.host_name = None
        self.resolver.records[CLIENT, "PTR"] = ["client.example"]

    def test_confirmed_name(self) -> None:
        """The address has a name that has the address."""
        self.resolver.records["client.example", "A"] = [CLIENT]

        self.assertTrue(self.is_true("verify = reverse_host_lookup"))

    def test_other_address(self) -> None:
        """A name that does not point back is no name."""
        self.resolver.records["client.example", "A"] = ["192.0.2.8"]

        verdict = self.verdict("require verify = reverse_host_lookup")

        self.assertEqual("deny", verdict.outcome.value)
        self.assertEqual(
            "host lookup failed for reverse lookup check "
            f"(no host name found for IP address {CLIENT})",
            verdict.log_message,
        )
        self.assertEqual("", verdict.message)

    def test_doubt(self) -> None:
        """Trouble with the DNS defers, or is let pass."""
        self.resolver.records[CLIENT, "PTR"] = Outcome.AGAIN

        self.assertEqual("defer", self.outcome("accept verify = reverse_host_lookup"))
        self.connection.host_name = None
        self.assertTrue(self.is_true("verify = reverse_host_lookup/defer_ok"))


class HeaderTests(ACLCase):
    """verify = header_syntax, not_blind."""

    def test_syntax(self) -> None:
        """A malformed address is found, and the reason told."""
        message = self.transaction.early_message()
        message.header = HeaderSection(b"From: a@b.c\r\n")
        self.assertTrue(self.is_true("verify = header_syntax", Phase.DATA))

        message.header = HeaderSection(b"From: @\r\n")
        verdict = self.verdict("require verify = header_syntax", Phase.DATA)
        self.assertIn('in "From:" header', verdict.message)

    def test_not_blind(self) -> None:
        """A recipient that is not named is found."""
        message = self.transaction.early_message()
        message.header = HeaderSection(b"To: Bob@example.com\r\n")
        message.recipients = [Recipient(parse_address("bob@example.com"))]

        verdict = self.verdict("require verify = not_blind", Phase.DATA)

        self.assertEqual("bcc recipient detected", verdict.message)
        self.assertTrue(self.is_true("verify = not_blind/case_insensitive", Phase.DATA))

    def test_too_early(self) -> None:
        """Before the content there is no header section."""
        for kind in ("header_syntax", "not_blind"):
            self.assertEqual("error", self.outcome(f"accept verify = {kind}"))
