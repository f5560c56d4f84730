"""From a command to a decision."""

from __future__ import annotations

from typing import NoReturn

from mta.acl.registry import Phase
from mta.errors import ConfigurationErrors
from mta.message import Message, Recipient
from mta.reception.policy import ACLOptions, Policy
from mta.reception.transaction import Decision
from mta.taint import Tainted
from mta.testing import FakeVerification, FakeVerifier, PlainLanguage, result_of
from tests.acl.case import ACLCase


class BrokenVerifier(FakeVerifier):
    """Fails in a way that nobody foresaw."""

    async def verify_recipient(self, *asked: object, **how: object) -> NoReturn:
        """Fail."""
        raise ZeroDivisionError("what?")


class PolicyCase(ACLCase):
    """A policy of some ACLs, given as texts by option."""

    def policy(self, **acls: str) -> Policy:
        """Return a policy; ``return_details`` sets the option of that name."""
        details = acls.pop("details", "false")
        self.acls.named = {
            option: self.parse(text, option) for option, text in acls.items()
        }
        texts = {option: option for option in acls}
        texts["smtp_return_error_details"] = details
        return self.policy_of(texts)

    def policy_of(self, texts: dict[str, str]) -> Policy:
        """Return a policy of option texts."""
        self.etrn: list[str] = []

        def deliver_for(what: str) -> bool:
            self.etrn.append(what)
            return len(self.etrn) == 1

        return Policy(
            site=self.site,
            options=ACLOptions.with_texts(texts, language=PlainLanguage()),
            acls=self.acls,
            verifier=self.verifier,
            logs=self.logs,
            sleep=self.sleep,
            deliver_for=deliver_for,
        )

    def rcpt(self, policy: Policy, text: str = "bob@example.com") -> Decision:
        """Return the decision on a recipient."""
        self.connection.command_argument = Tainted(f"TO:<{text}>")
        recipient = Recipient(self.routed(text).address)
        return result_of(policy.rcpt(self.transaction, recipient))


class UnsetTests(PolicyCase):
    """What is decided where no ACL is set."""

    def test_allowed(self) -> None:
        """Everything is, but for what follows."""
        policy = self.policy()

        for ask in (
            policy.connected,
            policy.helo,
            policy.starttls,
            policy.auth,
            policy.mail,
            policy.predata,
            policy.data,
            policy.quit,
            policy.not_smtp_start,
            policy.not_smtp,
        ):
            self.assertEqual(Decision(True), result_of(ask(self.transaction)))
        self.assertEqual([], self.logs.lines)

    def test_refused(self) -> None:
        """Recipients, VRFY, EXPN and ETRN are refused, and not advertised."""
        policy = self.policy()

        self.assertEqual("550", str(self.rcpt(policy).reply)[:3])
        for ask, code in ((policy.vrfy, 252), (policy.expn, 550), (policy.etrn, 458)):
            decision = result_of(ask(self.transaction, "#x"))
            assert decision.reply is not None
            self.assertFalse(decision.accepted)
            self.assertEqual(code, decision.reply.code)
        self.assertFalse(policy.defines(Phase.VRFY))

    def test_empty(self) -> None:
        """An empty option denies too, but is advertised."""
        policy = self.policy_of({"acl_smtp_vrfy": ""})

        self.assertTrue(policy.defines(Phase.VRFY))
        self.assertFalse(result_of(policy.vrfy(self.transaction, "x")).accepted)

    def test_parameter_of_mail(self) -> None:
        """AUTH= is believed of authenticated clients."""
        policy = self.policy()
        self.assertFalse(result_of(policy.mailauth(self.transaction)).accepted)

        self.connection.authenticator = "plain"
        self.assertTrue(result_of(policy.mailauth(self.transaction)).accepted)


class DecisionTests(PolicyCase):
    """What a verdict becomes."""

    def test_accept(self) -> None:
        """The session's own text is sent, unless the ACL has one."""
        plain = self.rcpt(self.policy(acl_smtp_rcpt="accept"))
        spoken = self.rcpt(self.policy(acl_smtp_rcpt="accept message = fine"))

        self.assertEqual(Decision(True), plain)
        self.assertEqual("250 fine", str(spoken.reply))

    def test_deny(self) -> None:
        """The client reads the message, the log has a line."""
        policy = self.policy(acl_smtp_rcpt="deny message = no\nlog_message = spam")

        decision = self.rcpt(policy)

        self.assertEqual((False, "550 no"), (decision.accepted, str(decision.reply)))
        self.assertFalse(decision.close)
        self.assertEqual(
            [
                "H=[192.0.2.7] F=<a@sender.example> rejected RCPT <bob@example.com>: spam"
            ],
            [text for text, _ in self.logs.reject_lines],
        )

    def test_drop(self) -> None:
        """drop ends the connection."""
        decision = self.rcpt(self.policy(acl_smtp_rcpt="drop"))

        self.assertTrue(decision.close)
        self.assertEqual("550 Administrative prohibition", str(decision.reply))

    def test_defer(self) -> None:
        """The reason is the log's, the client reads that it may try again."""
        policy = self.policy(acl_smtp_rcpt="accept condition = maybe")

        decision = self.rcpt(policy)

        self.assertEqual(
            "451 Temporary local problem - please try later", str(decision.reply)
        )
        self.assertIn("temporarily rejected RCPT", self.logs.lines[0])
        self.assertIn("maybe", self.logs.lines[0])

    def test_defer_with_details(self) -> None:
        """An option shows the client the reason."""
        self.verifier.unknown = FakeVerification("defer", "maybe")
        acls = {"acl_smtp_rcpt": "accept verify = recipient", "details": "true"}

        self.assertIn("maybe", str(self.rcpt(self.policy(**acls)).reply))

    def test_discard(self) -> None:
        """The client is told yes, and the log has a line."""
        policy = self.policy(acl_smtp_rcpt="discard log_message = trap")

        decision = self.rcpt(policy)

        self.assertTrue(decision.accepted and decision.discard)
        self.assertEqual(
            "H=[192.0.2.7] F=<a@sender.example> RCPT <bob@example.com>: "
            "discarded by RCPT ACL: trap",
            self.logs.lines[0],
        )

    def test_discard_at_mail(self) -> None:
        """All recipients of the message are then forgotten, of the next not."""
        policy = self.policy(acl_smtp_mail="discard", acl_smtp_rcpt="accept")

        self.assertTrue(result_of(policy.mail(self.transaction)).discard)
        self.assertTrue(self.rcpt(policy).discard)
        self.assertIn("discarded by MAIL ACL", self.logs.lines[0])

        self.transaction.reset()
        self.transaction.message = Message()
        self.assertFalse(self.rcpt(policy).discard)

    def test_connect(self) -> None:
        """A refused connection is always ended; a message replaces the greeting."""
        refused = result_of(
            self.policy(acl_smtp_connect="deny").connected(self.transaction)
        )
        greeted = result_of(
            self.policy(acl_smtp_connect="accept message = hello").connected(
                self.transaction
            )
        )

        self.assertTrue(refused.close and not refused.accepted)
        self.assertEqual("220 hello", str(greeted.reply))

    def test_helo(self) -> None:
        """A message at EHLO has one line only."""
        self.site.named_lists = {}
        policy = self.policy(acl_smtp_helo="accept message = $text")
        self.transaction.values["text"] = "one\ntwo"

        decision = result_of(policy.helo(self.transaction))

        self.assertEqual("250 one", str(decision.reply))
        self.assertIn("must not contain newlines", self.logs.panic_lines[0][0])

    def test_predata(self) -> None:
        """A message before the content has its own code."""
        policy = self.policy(acl_smtp_predata="accept message = go on")

        decision = result_of(policy.predata(self.transaction))

        self.assertEqual("354 go on", str(decision.reply))

    def test_quit(self) -> None:
        """QUIT gets a text, and an ACL that would refuse is noted."""
        spoken = self.policy(acl_smtp_quit="accept message = bye")
        refusing = self.policy(acl_smtp_quit="deny")

        self.assertEqual("221 bye", str(result_of(spoken.quit(self.transaction)).reply))
        self.assertEqual(Decision(True), result_of(refusing.quit(self.transaction)))
        self.assertIn("may not fail", self.logs.panic_lines[0][0])

    def test_not_quit(self) -> None:
        """The ACL knows why the session ended."""
        policy = self.policy(
            acl_smtp_notquit="accept logwrite = ended: $smtp_notquit_reason"
        )

        result_of(policy.not_quit(self.transaction, "connection-lost"))

        self.assertEqual(["ended: connection-lost"], self.logs.lines)

    def test_not_smtp(self) -> None:
        """A local message is refused with a line of its own."""
        policy = self.policy(acl_not_smtp="deny log_message = odd")

        decision = result_of(policy.not_smtp(self.transaction))

        self.assertEqual("550 local configuration problem", str(decision.reply))
        self.assertEqual(
            ["F=<a@sender.example> rejected by non-SMTP ACL: odd"], self.logs.lines
        )

    def test_not_smtp_start(self) -> None:
        """What an ACL says before it does not count."""
        policy = self.policy(acl_not_smtp_start="deny")

        decision = result_of(policy.not_smtp_start(self.transaction))

        self.assertEqual(Decision(True), decision)
        self.assertEqual([], self.logs.lines)


class RecipientTests(PolicyCase):
    """RCPT with verification."""

    def test_unknown_user(self) -> None:
        """The client is told what routing says."""
        policy = self.policy(acl_smtp_rcpt="require verify = recipient\naccept")
        self.verifier.recipients["bad@example.com"] = FakeVerification(
            "fail", "Unrouteable address"
        )

        self.assertTrue(self.rcpt(policy).accepted)
        self.assertEqual(
            "550 Unrouteable address", str(self.rcpt(policy, "bad@example.com").reply)
        )

    def test_bad_sender(self) -> None:
        """The first recipient's refusal has the details, the second's not."""
        policy = self.policy(acl_smtp_rcpt="require verify = sender\naccept")
        self.verifier.unknown = FakeVerification("fail", "Unrouteable address")

        first, second = self.rcpt(policy), self.rcpt(policy)

        assert first.reply is not None
        assert second.reply is not None
        self.assertEqual(
            (
                "Verification failed for <a@sender.example>",
                "Unrouteable address",
                "Sender verify failed",
            ),
            first.reply.lines,
        )
        self.assertEqual(("Sender verify failed",), second.reply.lines)
        self.assertEqual([("sender", "a@sender.example")], self.verifier.asked)


class AddressAnswerTests(PolicyCase):
    """VRFY, EXPN and ETRN that are allowed."""

    def test_vrfy(self) -> None:
        """The answer tells what the verifier found."""
        policy = self.policy(acl_smtp_vrfy="accept domains = +ours")
        self.verifier.recipients.update(
            {
                "no@example.com": FakeVerification("fail", "nobody"),
                "user@example.com": FakeVerification("fail", "gone away", True),
                "slow@example.com": FakeVerification("defer", "dns"),
            }
        )

        for argument, wanted in {
            "bob@example.com": "250 <bob@example.com> is deliverable",
            "<bob@example.com>": "250 <bob@example.com> is deliverable",
            "no@example.com": "550 <no@example.com> is not deliverable",
            "user@example.com": "550 <user@example.com> gone away",
            "slow@example.com": "451 Cannot resolve <slow@example.com> at this time",
            "bob@example.org": "252 Administrative prohibition",
        }.items():
            decision = result_of(policy.vrfy(self.transaction, Tainted(argument)))

            self.assertEqual(wanted, str(decision.reply))

    def test_malformed(self) -> None:
        """What is no address is answered so."""
        policy = self.policy(acl_smtp_vrfy="accept")

        decision = result_of(policy.vrfy(self.transaction, "a b"))

        self.assertEqual("501", str(decision.reply)[:3])

    def test_expn(self) -> None:
        """An address is named."""
        policy = self.policy(acl_smtp_expn="accept")

        decision = result_of(policy.expn(self.transaction, "bob@example.com"))

        self.assertEqual("250 <bob@example.com>", str(decision.reply))

    def test_etrn(self) -> None:
        """Deliveries are started, once at a time."""
        policy = self.policy(acl_smtp_etrn="accept")

        first, second = (
            result_of(policy.etrn(self.transaction, "#example.com")) for _ in range(2)
        )
        other = result_of(policy.etrn(self.transaction, "example.com"))

        self.assertEqual(Decision(True), first)
        self.assertEqual("458 Already processing #example.com", str(second.reply))
        self.assertEqual("501 argument must begin with #", str(other.reply))
        self.assertEqual(["example.com", "example.com"], self.etrn)
        self.assertEqual(
            "ETRN #example.com received from [192.0.2.7]", self.logs.lines[0]
        )


class FaultTests(PolicyCase):
    """What goes wrong is never a pass."""

    def test_unforeseen(self) -> None:
        """An exception nobody foresaw is a panic line and a 451."""
        self.verifier = BrokenVerifier()
        policy = self.policy(acl_smtp_rcpt="accept !verify = recipient")

        decision = self.rcpt(policy)

        self.assertFalse(decision.accepted or decision.close)
        self.assertEqual("451", str(decision.reply)[:3])
        self.assertIn("ZeroDivisionError: what?", self.logs.panic_lines[0][0])

    def test_option_that_cannot_be_expanded(self) -> None:
        """So is an option whose expansion fails."""
        policy = self.policy_of({"acl_smtp_rcpt": "$nothing"})

        self.assertEqual("451", str(self.rcpt(policy).reply)[:3])
        self.assertIn("nothing", self.logs.lines[0])

    def test_tainted_option(self) -> None:
        """What a client said cannot become an ACL, and somebody must know."""
        policy = self.policy_of({"acl_smtp_rcpt": "$said"})
        self.transaction.values["said"] = Tainted("accept")

        self.assertEqual("451", str(self.rcpt(policy).reply)[:3])
        self.assertIn("Tainted ACL", self.logs.panic_lines[0][0])

    def test_expanded_option(self) -> None:
        """An option may choose among ACLs by expansion."""
        self.acls.named = {"check_yes": self.parse("accept")}
        policy = self.policy_of({"acl_smtp_rcpt": "check_$which"})
        self.transaction.values["which"] = "yes"

        self.assertTrue(self.rcpt(policy).accepted)

    def test_unknown_acl(self) -> None:
        """A name that no ACL has is found when the parts are built."""
        self.assertRaises(
            ConfigurationErrors, self.policy_of, {"acl_smtp_rcpt": "nonsense"}
        )
