"""Tests of the generic router options."""

from __future__ import annotations

from mta.errors import ExpansionError, TaintError
from mta.expand.context import Context
from mta.host import Outcome
from mta.routers.base import Purpose, Verdict
from mta.taint import is_tainted
from mta.testing import result_of
from tests.routers.routing import RouterTestCase

UNROUTEABLE = "Unrouteable address"


class PreconditionTests(RouterTestCase):
    """For which addresses a router is asked at all."""

    def test_domains(self) -> None:
        """Only domains of the list; ``$domain_data`` is the item, not what came."""
        self.router("accept", domains="example.com : *.example.org")

        address = self.accepted("ann@Example.COM")

        self.assertEqual(address.domain_data, "example.com")
        self.assertFalse(is_tainted(address.domain_data or ""))
        self.assertEqual(
            self.takers("a@example.org", "a@mx.example.org"), [UNROUTEABLE, "r1"]
        )

    def test_captures(self) -> None:
        """What an asterisk stood for can be used by what comes after."""
        self.router(
            "accept", domains="*.example.org", set="r_host = $1", condition="$1"
        )

        self.assertEqual(self.accepted("a@x.example.org").variables, {"r_host": "x"})

    def test_captures_end(self) -> None:
        """A router sees nothing of what an earlier one caught."""
        self.router("accept", domains="*.example.org", condition="no")
        self.router("accept", condition="${if eq{$1}{}}")

        self.assertEqual(self.takers("a@x.example.org"), ["r2"])

    def test_data_ends(self) -> None:
        """What one router's lists gave is not seen by the next."""
        self.router("accept", domains="*.org", local_parts="a", condition="no")
        self.router("accept", condition="${if eq{$domain_data$local_part_data}{}}")

        self.assertEqual(self.takers("a@example.org"), ["r2"])

    def test_local_parts(self) -> None:
        """Only local parts of the list, compared without regard to case."""
        self.router("accept", local_parts="ann : *-list")

        self.assertEqual(
            self.takers("Ann@x.test", "a-LIST@x.test", "bob@x.test"),
            ["r1", "r1", UNROUTEABLE],
        )
        self.assertEqual(self.accepted("ANN@x.test").local_part_data, "ann")

    def test_caseful_local_part(self) -> None:
        """On request local parts keep their case."""
        self.router("accept", local_parts="Ann", caseful_local_part="yes")
        self.router("accept")

        self.assertEqual(self.takers("Ann@x.test", "ann@x.test"), ["r1", "r2"])
        self.assertEqual(self.accepted("Ann@x.test").local_part, "Ann")
        self.assertEqual(self.accepted("aNN@x.test").local_part, "ann")

    def test_list_cannot_be_told(self) -> None:
        """Where a list needs a file that is not there the address waits."""
        for option in ("domains", "local_parts", "senders"):
            self.routers.clear()
            router = self.router("accept", **{option: "lsearch;/nonesuch"})
            decision = self.decide(router, "a@x.test")
            self.assertEqual(decision.verdict, Verdict.DEFER, option)
            self.assertIn(f"{option} check lookup or other defer", decision.text)

    def test_senders(self) -> None:
        """Only messages from these senders; the empty item is a bounce."""
        self.router("accept", senders="*@source.test")
        self.router("accept", senders=":")

        self.assertEqual(self.takers("a@x.test"), ["r1"])
        assert self.context.message is not None
        self.context.message.sender = self.address("x@y.test").address
        self.assertEqual(self.takers("a@x.test"), [UNROUTEABLE])
        self.context.message = None
        self.assertEqual(self.takers("a@x.test"), ["r2"])

    def test_conditions(self) -> None:
        """Every condition must hold; four words do not."""
        for text, holds in (
            ("yes", True),
            ("1", True),
            ("00", True),
            ("anything", True),
            ("", False),
            ("0", False),
            ("No", False),
            ("false", False),
            ("${if eq{a}{b}{yes}fail}", False),
        ):
            router = self.router("accept", condition=text)
            verdict = self.decide(router, "a@x.test").verdict
            self.assertEqual(verdict is Verdict.ACCEPT, holds, text)

    def test_condition_cannot_be_told(self) -> None:
        """An error in a condition is a reason to wait, not to go on."""
        router = self.router("accept", condition="${lookup{a}lsearch{/nonesuch}}")
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.DEFER)
        router = self.router("accept", condition="${if bool{maybe}}")
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.DEFER)

    def test_order(self) -> None:
        """A condition that fails is not evaluated where an earlier one does not hold."""
        router = self.router(
            "accept", domains="other.test", condition="${lookup{a}lsearch{/nonesuch}}"
        )
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.SKIP)


class PurposeTests(RouterTestCase):
    """For what a router is used."""

    def users(self, **texts: str) -> list[Purpose]:
        """Return the purposes for which a router with options is used."""
        router = self.router("accept", **texts)
        return [
            purpose
            for purpose in Purpose
            if self.decide(router, "a@x.test", purpose).verdict is Verdict.ACCEPT
        ]

    def test_all(self) -> None:
        """By default for all."""
        self.assertEqual(self.users(), list(Purpose))

    def test_verify(self) -> None:
        """``verify`` sets both options, of which each can be set by itself."""
        others = [Purpose.DELIVERY, Purpose.ADDRESS_TEST, Purpose.EXPN]
        self.assertEqual(self.users(verify="no"), others)
        self.assertEqual(
            set(self.users(verify="no", verify_sender="yes")),
            {*others, Purpose.VERIFY_SENDER},
        )
        self.assertNotIn(Purpose.VERIFY_RECIPIENT, self.users(verify_recipient="false"))

    def test_verify_only(self) -> None:
        """Then nothing is delivered, tested or listed with it."""
        self.assertEqual(
            set(self.users(verify_only="yes")),
            {Purpose.VERIFY_SENDER, Purpose.VERIFY_RECIPIENT},
        )

    def test_address_test_and_expn(self) -> None:
        """``-bt`` and EXPN can be excepted."""
        self.assertNotIn(Purpose.ADDRESS_TEST, self.users(address_test="no"))
        self.assertNotIn(Purpose.EXPN, self.users(expn="no"))

    def test_fail_verify(self) -> None:
        """An address accepted here can fail verification all the same."""
        self.router("accept", fail_verify="yes", fail_verify_sender="no")

        recipient = self.route("a@x.test", Purpose.VERIFY_RECIPIENT)
        sender = self.route("a@x.test", Purpose.VERIFY_SENDER)

        self.assertEqual((len(recipient.failed), len(recipient.accepted)), (1, 0))
        self.assertEqual((len(sender.failed), len(sender.accepted)), (0, 1))


class DataTests(RouterTestCase):
    """``address_data`` and ``set``."""

    def test_address_data(self) -> None:
        """The text is kept for the routers that follow and for the transport."""
        self.router("accept", address_data="one", condition="no")
        self.router("accept", address_data="two", domains="other.test")
        self.router("manualroute", address_data="three", route_data="")
        self.router("accept", condition="${if eq{$address_data}{three}}")

        self.assertEqual(self.accepted("a@x.test").address_data, "three")

    def test_forced_failure(self) -> None:
        """A forced failure declines, so that ``more`` decides."""
        router = self.router("accept", address_data="${if eq{a}{b}{x}fail}")
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.DECLINE)
        router = self.router("accept", set="r_x = ${if eq{a}{b}{x}fail}")
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.DECLINE)

    def test_error(self) -> None:
        """Any other failure makes the address wait."""
        router = self.router("accept", address_data="${lookup{a}lsearch{/none}}")
        self.assertEqual(self.decide(router, "a@x.test").verdict, Verdict.DEFER)

    def test_variables(self) -> None:
        """Variables are set in order, each of those after the last."""
        self.router("accept", set="r_one = 1 ; r_two = <$r_one>; r_s = a;;b")

        variables = self.accepted("a@x.test").variables

        self.assertEqual(variables, {"r_one": "1", "r_two": "<1>", "r_s": "a;b"})

    def test_wrong_variable(self) -> None:
        """Other names than ``r_...`` are refused when the configuration is read."""
        self.assertIn("r_NAME = text", self.refusal("accept", set="x = 1"))
        self.assertIn("r_NAME = text", self.refusal("accept", set="r_x"))


class DeliveryOptionTests(RouterTestCase):
    """What an accepted address is given."""

    def test_transport(self) -> None:
        """The transport's name is expanded, but may not be a client's."""
        self.router("accept", transport="${if eq{$domain}{x.test}{one}{two}}")
        self.assertEqual(self.accepted("a@x.test").transport, "one")
        router = self.router("accept", transport="$local_part")
        address = self.address("a@x.test")
        self.decide(router, address)
        self.assertRaises(TaintError, result_of, router.finish(address, self.context))

    def test_headers(self) -> None:
        """Fields to add are by line, names to remove by colon; each item by itself."""
        self.router(
            "accept",
            headers_add="X-One: $local_part\n${if eq{a}{b}{X: y}fail}\nX-Two: a:b",
            headers_remove="Subject : X-* : ${if eq{a}{b}{z}}",
        )

        address = self.accepted("ann@x.test")

        self.assertEqual(address.headers_add, ["X-One: ann", "X-Two: a:b"])
        self.assertEqual(address.headers_remove[:2], ["Subject", "X-*"])

    def test_errors_to(self) -> None:
        """Reports go to another address, or to nobody; a malformed one is an error."""
        for text, expected in (
            ("owner@x.test", "owner@x.test"),
            ("<owner@x.test>", "owner@x.test"),
            ("<>", ""),
            ("", ""),
            ("${if eq{a}{b}{x}fail}", None),
        ):
            self.routers.clear()
            self.router("accept", errors_to=text)
            self.assertEqual(self.accepted("a@x.test").errors_to, expected, text)
        router = self.router("accept", errors_to="a b")
        address = self.address("a@x.test")
        self.assertRaises(
            ExpansionError, result_of, router.finish(address, self.context)
        )

    def test_fallback_hosts(self) -> None:
        """Hosts to try at last are kept as text."""
        self.router("accept", fallback_hosts="a.test : b.test")
        self.assertEqual(self.accepted("a@x.test").fallback_hosts, "a.test : b.test")

    def test_unseen(self) -> None:
        """A copy is delivered, and the address goes on without what it was given."""
        self.router(
            "accept", unseen="yes", transport="one", headers_add="X: y", user="mail"
        )
        self.router("accept", transport="two")

        first, second = self.route("a@x.test").accepted

        self.assertEqual((first.transport, first.headers_add), ("one", ["X: y"]))
        self.assertEqual((second.transport, second.headers_add), ("two", []))
        self.assertIsNone(second.user)
        self.assertNotEqual(first.key, second.key)

    def test_more(self) -> None:
        """``no_more`` ends the walk at a router that declines, not at one skipped."""
        self.router("manualroute", route_data="", more="no", domains="x.test")
        self.router("accept")

        self.assertEqual(self.takers("a@x.test", "a@y.test"), [UNROUTEABLE, "r2"])

    def test_pass_router(self) -> None:
        """A passed address goes to the router named, in spite of ``no_more``."""
        self.resolver.records["x.test", "MX"] = Outcome.AGAIN
        self.router("dnslookup", pass_on_timeout="yes", pass_router="r3", more="no")
        self.router("accept")
        self.router("accept")

        self.assertEqual(self.takers("a@x.test"), ["r3"])

    def test_cannot_route_message(self) -> None:
        """The last router that was asked says why nobody takes the address."""
        self.router(
            "manualroute", route_data="", cannot_route_message="no $local_part here"
        )
        self.assertEqual(self.takers("bob@x.test"), ["no bob here"])

    def test_redirect_router(self) -> None:
        """New addresses start at the router named."""
        self.router("accept", local_parts="b", transport="one")
        self.router("redirect", data="b@x.test", redirect_router="r3")
        self.router("accept", transport="two")

        self.assertEqual(self.takers("a@x.test"), ["r3"])


class SelfTests(RouterTestCase):
    """``self``: what to do with mail that would come back to this host."""

    def decision(self, word: str) -> tuple[Verdict, bool]:
        """Return the verdict, and whether the message is frozen."""
        self.resolver.records["x.test", "MX"] = [(1, "me.test")]
        self.resolver.records["me.test", "A"] = ["192.0.2.1"]
        router = self.router("dnslookup", self=word)
        decision = self.decide(router, "a@x.test")
        return decision.verdict, decision.freeze

    def test_words(self) -> None:
        """Each word has its verdict; by default the message is frozen."""
        for word, expected in (
            ("freeze", (Verdict.DEFER, True)),
            ("defer", (Verdict.DEFER, False)),
            ("fail", (Verdict.FAIL, False)),
            ("pass", (Verdict.PASS, False)),
            ("send", (Verdict.ACCEPT, False)),
            ("reroute: y.test", (Verdict.REROUTE, False)),
        ):
            self.assertEqual(self.decision(word), expected, word)
        self.assertIn("not one of", self.refusal("dnslookup", self="perhaps"))
        self.assertIn("needs a domain", self.refusal("dnslookup", self="reroute:"))

    def test_reroute(self) -> None:
        """The address starts anew with another domain."""
        self.decision("reroute: Y.test")
        self.router("accept", domains="y.test")

        address = self.accepted("ann@x.test")

        self.assertEqual(address.address.text, "ann@Y.test")
        self.assertEqual((address.domain, address.router), ("y.test", "r2"))

    def test_pass(self) -> None:
        """The next router can see which host it was."""
        self.decision("pass")
        self.router("accept", condition="${if eq{$self_hostname}{me.test}}")

        self.assertEqual(self.takers("a@x.test"), ["r2"])


class UnwaitingTests(RouterTestCase):
    """What costs on the way of every message."""

    def test_constant(self) -> None:
        """A router without conditions needs neither connection nor message."""
        router = self.router("accept")
        context = Context(self.site)
        address = self.address("a@x.test")

        self.assertIsNone(result_of(router.applies(address, context, Purpose.DELIVERY)))
