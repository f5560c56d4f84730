"""Tests for the walk through the routers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.delivery.routing import RouterChain, Routes, address_to_route
from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context, Site
from mta.message import Message, Recipient
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Purpose, Verdict
from mta.testing import PlainLanguage, result_of
from tests.delivery.fakes import TableRouter, child_of

DECLINE = Decision(Verdict.DECLINE)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.routers: dict[str, TableRouter] = {}

    def router(self, name: str, table: dict[str, Any], **texts: str) -> TableRouter:
        made = TableRouter.with_texts(texts, language=PlainLanguage(), name=name)
        made.table = table
        made.target = name
        self.routers[name] = made
        return made

    def route(
        self, text: str, purpose: Purpose = Purpose.DELIVERY, **options: Any
    ) -> Routes:
        address = parse_address(text)
        start = address_to_route(address, Recipient(address))
        context = Context(Site(language=PlainLanguage()), message=Message())
        chain = RouterChain(self.routers)
        return result_of(chain.route(start, context, purpose=purpose, **options))

    def places(self, routes: Routes) -> list[tuple[str, str]]:
        return [(a.address.text, a.router) for a in routes.accepted]


class VerdictTests(Case):
    def test_order(self) -> None:
        """The first router that takes the address has it; order is the file's."""
        self.router("a", {"x@d.example": DECLINE})
        self.router("b", {})
        self.router("c", {})

        self.assertEqual(self.places(self.route("x@d.example")), [("x@d.example", "b")])

    def test_skip(self) -> None:
        """A router whose preconditions do not hold is not asked, ``no_more`` or not."""
        self.router("a", {"x@d.example": ValueError()}, domains="e.example", more="no")
        self.router("b", {})

        self.assertEqual(self.places(self.route("x@d.example")), [("x@d.example", "b")])

    def test_no_more(self) -> None:
        """A decline with more = false ends the walk."""
        self.router("a", {"x@d.example": DECLINE}, more="false")
        self.router("b", {})

        routes = self.route("x@d.example")

        self.assertEqual(routes.failed[0][1].text, "Unrouteable address")
        self.assertEqual(routes.failed[0][0].router, "")

    def test_pass(self) -> None:
        """A pass goes on in spite of more = false, to pass_router where one is named."""
        self.router("a", {"x@d.example": Decision(Verdict.PASS)}, more="false")
        self.router("b", {"x@d.example": Decision(Verdict.PASS)}, pass_router="d")
        self.router("c", {})
        self.router("d", {})

        self.assertEqual(self.places(self.route("x@d.example")), [("x@d.example", "d")])

    def test_unrouteable(self) -> None:
        """At the end of the list the last router asked says why."""
        self.router(
            "a", {"x@d.example": DECLINE}, cannot_route_message="not known here"
        )
        self.router("b", {}, domains="e.example", cannot_route_message="not this")

        decision = self.route("x@d.example").failed[0][1]

        self.assertEqual(decision.text, "not known here")
        self.assertTrue(decision.user_text)

    def test_errors_defer(self) -> None:
        """An error of a router is a reason to try again, never to go on."""
        self.router(
            "a",
            {
                "x@d.example": TemporaryFailure("no", log_text="why", error=-36),
                "y@d.example": ExpansionError("bad"),
            },
        )
        self.router("b", {})

        decision = self.route("x@d.example").deferred[0][1]
        self.assertEqual((decision.text, decision.error), ("why", -36))
        self.assertEqual(self.route("y@d.example").deferred[0][1].text, "bad")

    def test_more_cannot_be_told(self) -> None:
        """An error in ``more`` defers and does not fail the address."""
        self.router("a", {"x@d.example": DECLINE}, more="$unknown")

        routes = self.route("x@d.example")

        self.assertEqual((len(routes.deferred), routes.failed), (1, []))

    def test_reroute(self) -> None:
        """A rerouted address starts anew with the first router."""
        router = self.router("a", {})
        address = parse_address("x@e.example")

        async def reroute(address_in: RoutedAddress, context: Any) -> Decision:
            if address_in.domain == "e.example":
                address_in.transport = "t"
                return Decision(Verdict.ACCEPT)
            child = RoutedAddress(
                address, address_in.recipient, address_in, "x", "e.example"
            )
            return Decision(Verdict.REROUTE, children=[child])

        router.route = reroute

        self.assertEqual(self.places(self.route("x@d.example")), [("x@e.example", "a")])


class ChildrenTests(Case):
    def test_in_order(self) -> None:
        """Children are routed in the order of the list, theirs too."""
        self.router(
            "a",
            {
                "l@d.example": ["m@d.example", "z@d.example"],
                "m@d.example": ["p@d.example", "q@d.example"],
            },
        )

        found = [text for text, _ in self.places(self.route("l@d.example"))]

        self.assertEqual(found, ["p@d.example", "q@d.example", "z@d.example"])

    def test_redirect_router(self) -> None:
        """Children start at redirect_router."""
        self.router(
            "a",
            {"l@d.example": ["m@d.example"], "m@d.example": ValueError()},
            redirect_router="b",
        )
        self.router("b", {})

        self.assertEqual(self.places(self.route("l@d.example")), [("m@d.example", "b")])

    def test_duplicates(self) -> None:
        """The same child twice is routed once, and so are other recipients' keys."""
        self.router("a", {"l@d.example": ["m@d.example", "m@D.example", "n@d.example"]})

        routes = self.route("l@d.example", seen={"n@d.example"})

        self.assertEqual(self.places(routes), [("m@d.example", "a")])

    def test_itself(self) -> None:
        """A child that is its own parent skips the router that made it."""
        self.router("a", {"l@d.example": ["l@d.example", "m@d.example"]})
        self.router("b", {})

        self.assertEqual(
            self.places(self.route("l@d.example")),
            [("l@d.example", "b"), ("m@d.example", "a")],
        )

    def test_loop(self) -> None:
        """Two aliases that name each other end the loop by the same rule."""
        self.router(
            "a", {"l@d.example": ["m@d.example"], "m@d.example": ["l@d.example"]}
        )
        self.router("b", {})

        self.assertEqual(self.places(self.route("l@d.example")), [("l@d.example", "b")])

    def test_endless(self) -> None:
        """A chain that always makes a longer address ends with a failure."""
        router = self.router("a", {})

        async def grow(address: RoutedAddress, context: Any) -> Decision:
            child = child_of(address, f"a.{address.address.text}", "t")
            return Decision(Verdict.REDIRECT, children=[child])

        router.route = grow

        routes = self.route("x@d.example")

        self.assertEqual(routes.failed[0][1].text, "too many levels of redirection")

    def test_files_and_commands(self) -> None:
        """A file or command goes straight to its transport."""
        self.router("a", {"l@d.example": ["/var/mail/l", "|cat"]})

        routes = self.route("l@d.example")

        self.assertEqual(
            [(a.file_name, a.pipe_command) for a in routes.accepted],
            [("/var/mail/l", None), (None, "|cat")],
        )

    def test_no_children(self) -> None:
        """A redirection to nothing discards."""
        self.router("a", {"l@d.example": []})

        self.assertEqual(len(self.route("l@d.example").discarded), 1)


class UnseenTests(Case):
    def test_copy(self) -> None:
        """An unseen router keeps a copy; the address goes on without its changes."""
        self.router("a", {}, unseen="true", headers_add="X-Copy: yes")
        self.router("b", {})

        copy, original = self.route("x@d.example").accepted

        self.assertEqual((copy.router, original.router), ("a", "b"))
        self.assertEqual((copy.transport, original.transport), ("a", "b"))
        self.assertEqual(copy.headers_add, ["X-Copy: yes"])
        self.assertEqual(original.headers_add, [])
        self.assertNotEqual(copy.key, original.key)

    def test_redirection(self) -> None:
        """An unseen redirection gives children and lets the address go on."""
        self.router("a", {"x@d.example": ["y@d.example"]}, unseen="true")
        self.router("b", {})

        found = self.places(self.route("x@d.example"))

        self.assertEqual(
            sorted(found),
            [("x@d.example", "b"), ("y@d.example", "a"), ("y@d.example", "b")],
        )


class VerifyingTests(Case):
    def test_single_child_is_followed(self) -> None:
        """One child decides; of several none is looked at."""
        self.router(
            "a",
            {
                "one@d.example": ["bad@d.example"],
                "many@d.example": ["bad@d.example", "b@d.example"],
                "bad@d.example": Decision(Verdict.FAIL, "no"),
            },
        )

        one = self.route("one@d.example", Purpose.VERIFY_RECIPIENT)
        many = self.route("many@d.example", Purpose.VERIFY_RECIPIENT)

        self.assertEqual(len(one.failed), 1)
        self.assertEqual((len(many.accepted), many.failed), (1, []))

    def test_fail_verify(self) -> None:
        """fail_verify_recipient turns acceptance into failure, for recipients only."""
        self.router("a", {}, fail_verify_recipient="true")

        self.assertEqual(
            len(self.route("x@d.example", Purpose.VERIFY_RECIPIENT).failed), 1
        )
        self.assertEqual(
            len(self.route("x@d.example", Purpose.VERIFY_SENDER).accepted), 1
        )
