"""What the controls switch."""

from __future__ import annotations

from mta.acl.effects import Submission
from mta.acl.registry import Phase
from tests.acl.case import ACLCase


class ControlsTests(ACLCase):
    """Each control by its effect."""

    def test_freeze(self) -> None:
        """The message is frozen."""
        self.verdict("warn control = freeze/no_tell")

        self.assertTrue(self.transaction.early_message().frozen)
        self.assertTrue(self.transaction.controls.frozen)

    def test_queue(self) -> None:
        """The message is not delivered at once, by any of three names."""
        for name in ("queue", "queue/only", "queue_only"):
            message = self.transaction.early_message()
            message.queue_only = False

            self.verdict(f"warn control = {name}", Phase.DATA)

            self.assertTrue(message.queue_only, name)

    def test_submission(self) -> None:
        """Its options are kept; a name takes the rest, slashes and all."""
        for text, wanted in {
            "submission": Submission(),
            "submission/sender_retain": Submission(True),
            "submission/domain=": Submission(domain=""),
            "submission/domain=a.example/name=A/B": Submission(
                domain="a.example", name="A/B"
            ),
        }.items():
            self.verdict(f"warn control = {text}")

            self.assertEqual(wanted, self.transaction.controls.submission)

    def test_fixups(self) -> None:
        """Local fix-ups can be left out."""
        self.verdict("warn control = suppress_local_fixups", Phase.NOT_SMTP_START)

        self.assertTrue(self.transaction.controls.suppress_local_fixups)

    def test_synchronisation(self) -> None:
        """It is as the main option says until an ACL says otherwise."""
        self.assertIsNone(self.transaction.controls.enforce_sync)

        self.verdict("warn control = no_enforce_sync", Phase.CONNECT)
        self.assertIs(False, self.transaction.controls.enforce_sync)

        self.verdict("warn control = enforce_sync", Phase.HELO)
        self.assertIs(True, self.transaction.controls.enforce_sync)

    def test_session(self) -> None:
        """Pipelining, long replies and unadvertised AUTH are switched."""
        self.verdict(
            "warn control = no_pipelining\ncontrol = no_multiline_responses\n"
            "control = allow_auth_unadvertised",
            Phase.CONNECT,
        )

        controls = self.transaction.controls
        self.assertFalse(controls.pipelining)
        self.assertFalse(controls.multiline_replies)
        self.assertTrue(controls.auth_unadvertised)

    def test_case(self) -> None:
        """The local part is given as written, or in lower case again."""
        self.assertTrue(self.is_true("local_parts = +caseful : bob"))

        verdict = self.verdict(
            "warn control = caseful_local_part\ndeny local_parts = +caseful : bob\n"
            "warn control = caselower_local_part\naccept local_parts = +caseful : bob"
        )

        self.assertEqual("accept", verdict.outcome.value)

    def test_fake_reply(self) -> None:
        """The client is told what an ACL wants it to believe."""
        self.verdict("warn control = fakereject/go away", Phase.DATA)
        reply = self.transaction.controls.fake_reply
        self.assertEqual("550 go away", str(reply))

        self.verdict("warn control = fakedefer", Phase.MAIL)
        reply = self.transaction.controls.fake_reply
        assert reply is not None
        self.assertEqual((450, 4), (reply.code, len(reply.lines)))

    def test_reset(self) -> None:
        """What concerned one message does not concern the next."""
        self.verdict(
            "warn control = freeze\ncontrol = queue\ncontrol = submission\n"
            "control = fakereject\ncontrol = no_enforce_sync"
        )

        self.transaction.reset()

        controls = self.transaction.controls
        self.assertFalse(controls.frozen or controls.queue_only)
        self.assertIsNone(controls.submission or controls.fake_reply)
        self.assertIs(False, controls.enforce_sync)

    def test_wrong_options(self) -> None:
        """Options that a control does not have are refused."""
        for text in (
            "queue/first",
            "submission/domain",
            "submission/foo=1",
            "submission domain",
            "fakereject/",
            "enforce_sync/x",
        ):
            with self.assertRaises(Exception) as caught:
                self.verdict(f"warn control = {text}")
            self.assertIn("control", str(caught.exception))
