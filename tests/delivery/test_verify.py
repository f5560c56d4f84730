"""Tests for verification by routing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, Address, parse_address
from mta.delivery.routing import RouterChain
from mta.delivery.verify import RoutingVerifier
from mta.errors import TemporaryFailure
from mta.expand.context import Context, Site
from mta.routers.base import Decision, Verdict
from mta.testing import PlainLanguage, result_of
from tests.delivery.fakes import TableRouter


class VerifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        router = TableRouter.with_texts({}, language=PlainLanguage(), name="a")
        router.table = {
            "no@d.example": Decision(Verdict.FAIL, "gone away", user_text=True),
            "later@d.example": TemporaryFailure("try again"),
            "none@d.example": Decision(Verdict.DECLINE),
        }
        self.verifier = RoutingVerifier(RouterChain({"a": router}))
        self.context = Context(Site(language=PlainLanguage()))

    def verify(self, text: str):
        return result_of(
            self.verifier.verify_recipient(parse_address(text), self.context)
        )

    def test_ok(self) -> None:
        """An address that routes is good, and the caller's context is left alone."""
        self.assertEqual(self.verify("x@d.example").outcome, "ok")
        self.assertIsNone(self.context.address)

    def test_fail(self) -> None:
        """A failure says why, in whose words, and that routing found it."""
        found = self.verify("no@d.example")

        self.assertEqual(
            (found.outcome, found.text, found.user_text, found.failure),
            ("fail", "gone away", True, "route"),
        )
        self.assertEqual(self.verify("none@d.example").text, "Unrouteable address")

    def test_defer(self) -> None:
        """What cannot be told now is neither good nor bad."""
        self.assertEqual(self.verify("later@d.example").outcome, "defer")

    def test_unqualified(self) -> None:
        """An address without a domain fails, since it is not qualified."""
        found = result_of(self.verifier.verify_sender(Address("x", ""), self.context))

        self.assertEqual((found.outcome, found.failure), ("fail", "qualify"))

    def test_null_path(self) -> None:
        """The sender of a bounce is always good."""
        found = result_of(self.verifier.verify_sender(NULL_PATH, self.context))

        self.assertEqual(found.outcome, "ok")
