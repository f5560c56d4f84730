"""Tests of mta.acl.callout_settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.callout_settings import CalloutDraft
from mta.address import NULL_PATH, parse_address
from mta.callout import Callout, CalloutSender


def read(*parameters: str, what: str = "recipient") -> Callout:
    """Return the callout of some parameters."""
    draft = CalloutDraft(what)
    for text in parameters:
        draft.take(text)
    return draft.finished()


class CalloutDraftTests(SynchronousTestCase):
    """The parameters of a callout."""

    def test_nothing(self) -> None:
        """Without parameters it is as the manual says."""
        self.assertEqual(Callout(), read(""))

    def test_limits(self) -> None:
        """Each limit has its parameter; white space and case do not matter."""
        found = read("10s", "connect = 1s", "MaxWait=1m")

        self.assertEqual(Callout(10.0, 1.0, 60.0), found)

    def test_words(self) -> None:
        """Each word switches something."""
        self.assertTrue(read("defer_ok").defers_ok)
        self.assertFalse(read("no_cache").uses_cache)
        self.assertTrue(read("random").random)

    def test_postmaster(self) -> None:
        """The postmaster is asked about from the null path or an address."""
        self.assertEqual(Callout(postmaster=True), read("postmaster"))
        self.assertEqual(
            Callout(postmaster=True, full_postmaster=True), read("fullpostmaster")
        )
        given = parse_address("a@b.c")
        self.assertEqual(
            Callout(postmaster=True, postmaster_sender=given),
            read("postmaster", "postmaster_mailfrom=<a@b.c>"),
        )
        self.assertEqual(
            NULL_PATH, read("postmaster_mailfrom=a@b.c", "postmaster").postmaster_sender
        )

    def test_senders(self) -> None:
        """The sender is chosen where the kind allows it."""
        self.assertIs(CalloutSender.MESSAGE, read("use_sender").sender)
        self.assertIs(CalloutSender.POSTMASTER, read("use_postmaster").sender)
        found = read("mailfrom=a@b.c", what="header_sender")
        self.assertEqual(
            (CalloutSender.GIVEN, parse_address("a@b.c")),
            (found.sender, found.given_sender),
        )

    def test_faults(self) -> None:
        """What cannot be is refused by name."""
        for kind, parameters in (
            ("recipient", ["junk"]),
            ("recipient", ["10x"]),
            ("recipient", ["0s"]),
            ("recipient", ["connect"]),
            ("recipient", ["connect="]),
            ("recipient", ["=1s"]),
            ("recipient", ["defer_ok 10s"]),
            ("recipient", ["defer_ok=yes"]),
            ("recipient", ["hold"]),
            ("recipient", ["use_tptsender"]),
            ("recipient", ["mailfrom=a@b.c"]),
            ("recipient", ["mailfrom"]),
            ("recipient", ["use_sender", "use_postmaster"]),
            ("sender", ["use_sender"]),
            ("header_sender", ["use_postmaster"]),
            ("header_sender", ["mailfrom=a b"]),
            ("sender", ["postmaster_mailfrom=a@b>\r\nDATA"]),
        ):
            self.assertRaises(ValueError, read, *parameters, what=kind)
