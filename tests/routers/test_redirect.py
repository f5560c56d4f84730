"""Tests of the redirect router."""

from __future__ import annotations

from mta.routers.base import Purpose, Verdict
from mta.taint import is_tainted
from tests.routers.redirecting import TRANSPORTS, RedirectTestCase


class ListTests(RedirectTestCase):
    """What the items of a list become."""

    def test_addresses(self) -> None:
        """Every address is a child, with the domain of the site where it has none."""
        self.assertEqual(
            self.children("bob, Carol <carol@y.test>\n# nobody\ndave@z.test"),
            ["bob@example.com", "carol@y.test", "dave@z.test"],
        )

    def test_qualify(self) -> None:
        """The domain for addresses without one can be set, or be the parent's."""
        self.assertEqual(
            self.children("b", qualify_domain="$domain.org"), ["b@x.test.org"]
        )
        self.assertEqual(
            self.children("b", qualify_preserve_domain="yes"), ["b@x.test"]
        )
        self.assertEqual(self.children(r"\\b"), ["b@x.test"])
        self.assertIn(
            "exclude",
            self.refusal(
                "redirect", data="b", qualify_domain="y", qualify_preserve_domain="yes"
            ),
        )

    def test_nothing(self) -> None:
        """Without data, or with :unknown:, the address goes on."""
        for data in ("", " ", "# comment", ":unknown:", "${if eq{a}{b}{x}fail}", ",,"):
            self.assertEqual(self.decision(data).verdict, Verdict.DECLINE, data)

    def test_blackhole(self) -> None:
        """One :blackhole: anywhere discards, unless it is forbidden."""
        self.assertEqual(self.decision("b, :blackhole:, c").verdict, Verdict.DISCARD)
        text = self.problem(":blackhole:", forbid_blackhole="yes")
        self.assertEqual(text, ":blackhole: is not permitted")

    def test_fail(self) -> None:
        """The reason of :fail: runs to the end of the line, commas and all."""
        decision = self.decision("b\n:fail: gone, for good\nc", allow_fail="yes")
        self.assert_decision(decision, Verdict.FAIL, "gone, for good")
        self.assertTrue(decision.user_text)
        self.assertEqual(self.problem(":fail: x"), ":fail: is not permitted")

    def test_defer(self) -> None:
        """:defer: makes the address wait, where allowed."""
        decision = self.decision(":defer: soon", allow_defer="yes")
        self.assert_decision(decision, Verdict.DEFER, "soon")
        self.assertEqual(self.problem(":defer: x"), ":defer: is not permitted")

    def test_no_reason(self) -> None:
        """A reason may be left out; then nothing was written for the peer."""
        decision = self.decision(":fail:", allow_fail="yes")
        self.assert_decision(decision, Verdict.FAIL)
        self.assertFalse(decision.user_text)

    def test_code(self) -> None:
        """A reason may begin with a reply code of the right class."""
        decision = self.decision(":fail: 551 5.1.6 moved", allow_fail="yes")
        self.assertEqual((decision.code, decision.text), ("551 5.1.6", "moved"))
        decision = self.decision(":defer: 450 4.1.1 wait", allow_defer="yes")
        self.assertEqual((decision.code, decision.text), ("450 4.1.1", "wait"))
        self.assertEqual(self.logs.panic_lines, [])

    def test_wrong_code(self) -> None:
        """A code of the other class is not used, and a person is told."""
        decision = self.decision(":fail: 450 no", allow_fail="yes")
        self.assertEqual((decision.code, decision.text), ("", "no"))
        self.assertIn("wrong SMTP code 450", self.logs.panic_lines[0][0])

    def test_forbidden_code(self) -> None:
        """Where codes are forbidden they are ignored, and nobody is told."""
        options = {"allow_fail": "yes", "forbid_smtp_code": "yes"}
        for data in (":fail: 550 no", ":fail: 450 no"):
            decision = self.decision(data, **options)
            self.assertEqual((decision.code, decision.text), ("", "no"), data)
        self.assertEqual(self.logs.panic_lines, [])

    def test_malformed(self) -> None:
        """A malformed address makes the whole list wait."""
        self.assertEqual(
            self.problem("b@y.test, c d e"), 'malformed address in "c d e"'
        )

    def test_skip_syntax_errors(self) -> None:
        """On request malformed addresses are skipped, and logged."""
        found = self.children("b@y.test, c d e, f@y.test", skip_syntax_errors="yes")
        self.assertEqual(found, ["b@y.test", "f@y.test"])
        self.assertIn('skipped error: malformed address in "c d e"', self.logs.lines[0])
        decision = self.decision("c d e", skip_syntax_errors="yes")
        self.assertEqual(decision.verdict, Verdict.DECLINE)


class LocalTargetTests(RedirectTestCase):
    """Commands and files in a list."""

    def test_pipe(self) -> None:
        """A command goes to the transport for commands."""
        child = self.only_child("|/bin/cat -u")
        self.assertEqual(
            (child.pipe_command, child.transport), ("/bin/cat -u", "a_pipe")
        )
        self.assertEqual(child.router, "r1")

    def test_quoted_pipe(self) -> None:
        """A command with a comma stands in quotes."""
        child = self.only_child('"|/bin/echo a, b"')
        self.assertEqual(child.pipe_command, "/bin/echo a, b")

    def test_file(self) -> None:
        """A path goes to the transport for files, with a slash for directories."""
        child = self.only_child("/var/mail/x")
        self.assertEqual((child.file_name, child.transport), ("/var/mail/x", "a_file"))
        child = self.only_child("/var/mail/x/")
        self.assertEqual(child.transport, "a_directory")

    def test_address_like(self) -> None:
        """What can be read as a whole address is one."""
        self.assertEqual(self.children("/a@b.test"), ["/a@b.test"])
        self.assertEqual(self.children("|a@b.test"), ["|a@b.test"])

    def test_null_device(self) -> None:
        """Mail for /dev/null needs no transport."""
        child = self.only_child("/dev/null", file_transport="")
        self.assertEqual(child.transport, "**bypassed**")

    def test_forbidden(self) -> None:
        """Commands and paths can be refused."""
        text = self.problem("|/bin/cat", forbid_pipe="yes", **TRANSPORTS)
        self.assertEqual(text, "delivery to a command is not permitted")
        text = self.problem("/var/x", forbid_file="yes", **TRANSPORTS)
        self.assertEqual(text, "delivery to a file is not permitted")

    def test_no_transport(self) -> None:
        """Without a transport for them the address waits."""
        self.assertEqual(self.problem("|/bin/cat"), "pipe_transport unset in r1 router")
        self.assertEqual(self.problem("/x"), "file_transport unset in r2 router")
        self.assertEqual(self.problem("/x/"), "directory_transport unset in r3 router")

    def test_environment(self) -> None:
        """The transport gets the router's user, group and directories."""
        child = self.only_child(
            "|/bin/cat",
            user="mail",
            group="staff",
            transport_home_directory="/h",
            transport_current_directory="/c",
            local_parts="ann",
            domains="x.test",
        )
        self.assertEqual((child.user, child.group), ("mail", "staff"))
        self.assertEqual((child.home, child.current_directory), ("/h", "/c"))
        self.assertEqual((child.local_part_data, child.domain_data), ("ann", "x.test"))

    def test_taint(self) -> None:
        """A path made of what a client sent stays marked, so that it is refused."""
        child = self.only_child("/var/mail/$local_part")
        self.assertTrue(is_tainted(child.file_name or ""))
        child = self.only_child("/var/mail/$local_part_data", local_parts="ann")
        self.assertFalse(is_tainted(child.file_name or ""))

    def test_one_parent_each(self) -> None:
        """The same command for two parents runs twice, for one parent once."""
        self.router(
            "redirect", data="|/bin/cat, |/bin/cat", local_parts="b:c", **TRANSPORTS
        )
        self.router("redirect", data="b@x.test, c@x.test")

        routes = self.route("ann@x.test")

        self.assertEqual(len(routes.accepted), 2)


class LoopTests(RedirectTestCase):
    """Addresses that come back."""

    def test_self_reference(self) -> None:
        """An address that names itself goes to the routers that follow."""
        self.assertEqual(
            self.delivered(ann="ann@x.test, bob@y.test"), ["ann@x.test", "bob@y.test"]
        )

    def test_ring(self) -> None:
        """Addresses that name one another in a ring end."""
        found = self.delivered(ann="bob@x.test", bob="ann@x.test")
        self.assertEqual(found, ["ann@x.test"])

    def test_other_case(self) -> None:
        """An address in other letters names itself too, unless case matters."""
        for caseful, expected in (("no", ["ANN@x.test"]), ("yes", ["ANN@x.test"] * 2)):
            self.routers.clear()
            data = "${if eqi{$local_part}{ann}{ANN@x.test}}"
            self.router("redirect", data=data, caseful_local_part=caseful)
            self.router("accept")
            address = self.accepted("ann@x.test")
            family = [address, *address.ancestors]
            texts = [relative.address.text for relative in family]
            self.assertEqual(texts, [*expected, "ann@x.test"], caseful)

    def test_duplicates(self) -> None:
        """An address that comes twice is delivered once, however it is reached."""
        found = self.delivered(
            ann="bob@x.test, carol@x.test", bob="dave@y.test", carol="dave@Y.test"
        )
        self.assertEqual([text.lower() for text in found], ["dave@y.test"])

    def test_endless(self) -> None:
        """New addresses without end are cut at some depth."""
        self.router("redirect", data="x$local_part@x.test")
        routes = self.route("ann@x.test")
        self.assertEqual(routes.failed[0][1].text, "too many levels of redirection")

    def test_check_ancestor(self) -> None:
        """On request a child equal to an ancestor is replaced by its parent."""
        aliases = "${extract{$local_part}{ann=b@x.test b=ann@x.test}}"
        self.router("redirect", data=aliases, check_ancestor="yes")
        self.router("accept")

        self.assertEqual(self.accepted("ann@x.test").address.text, "b@x.test")

    def test_repeat_use(self) -> None:
        """On request a router is not used again below its own children."""
        self.router("redirect", data="x$local_part@x.test", repeat_use="no")
        self.router("accept")

        self.assertEqual(self.accepted("ann@x.test").address.text, "xann@x.test")


class ChildTests(RedirectTestCase):
    """What children have from their parent."""

    def test_inheritance(self) -> None:
        """Header changes, reports' address, data and variables go on to children."""
        self.router(
            "redirect",
            data="b@y.test",
            local_parts="ann",
            headers_add="X: y",
            headers_remove="Z",
            errors_to="owner@x.test",
            address_data="data",
            set="r_v = 1",
            hide_child_in_errmsg="yes",
        )
        self.router("accept")

        child = self.accepted("ann@x.test")

        self.assertEqual((child.headers_add, child.headers_remove), (["X: y"], ["Z"]))
        self.assertEqual(
            (child.errors_to, child.address_data), ("owner@x.test", "data")
        )
        self.assertEqual(child.variables, {"r_v": "1"})
        self.assertTrue(child.hide_in_reports)
        assert child.parent is not None
        self.assertEqual(child.parent.address.text, "ann@x.test")
        self.assertIs(child.recipient, child.parent.recipient)

    def test_parent_variables(self) -> None:
        """Routers of a child see who the parent was."""
        self.router("redirect", data="b@y.test", local_parts="ann")
        self.router("accept", address_data="$parent_local_part at $parent_domain")

        self.assertEqual(self.accepted("ann@x.test").address_data, "ann at x.test")

    def test_declined(self) -> None:
        """A list that names nobody leaves nothing behind at the address."""
        self.router(
            "redirect",
            data=":unknown:",
            headers_add="X: y",
            headers_remove="Z",
            errors_to="owner@x.test",
            user="mail",
            transport_home_directory="/h",
        )
        self.router("accept")

        address = self.accepted("ann@x.test")

        self.assertEqual((address.headers_add, address.headers_remove), ([], []))
        self.assertIsNone(address.errors_to)
        self.assertIsNone(address.user)
        self.assertIsNone(address.home)

    def test_unseen(self) -> None:
        """What is passed on has what came from its parent, and no more."""
        self.router(
            "redirect", data="b@y.test", local_parts="ann", headers_add="X: parent"
        )
        self.router(
            "redirect",
            data="c@y.test",
            unseen="yes",
            headers_add="X: child",
            local_parts="b",
        )
        self.router("accept", unseen="yes", headers_add="X: copy", local_parts="b")
        self.router("accept")

        accepted = self.route("ann@x.test").accepted

        found = {(a.address.local_part, a.unseen): a.headers_add for a in accepted}
        self.assertEqual(
            found,
            {
                ("b", True): ["X: parent", "X: copy"],
                ("b", False): ["X: parent"],
                ("c", False): ["X: parent", "X: child"],
            },
        )

    def test_verified(self) -> None:
        """To verify an address one child is followed, and of several none."""
        self.router("redirect", data="${extract{$local_part}{one=b@y.test two=b,c}}")

        one = self.route("one@x.test", Purpose.VERIFY_RECIPIENT)
        two = self.route("two@x.test", Purpose.VERIFY_RECIPIENT)

        self.assertEqual(one.failed[0][0].address.text, "b@y.test")
        self.assertEqual(two.accepted[0].address.text, "two@x.test")


class OptionTests(RedirectTestCase):
    """Options that exclude each other."""

    def test_source(self) -> None:
        """Exactly one of data and file."""
        self.assertIn("but not both", self.refusal("redirect"))
        self.assertIn("but not both", self.refusal("redirect", data="a", file="/b"))

    def test_transport(self) -> None:
        """The address itself goes nowhere, so that it has no transport."""
        text = self.refusal("redirect", data="a", transport="smtp")
        self.assertIn("transport may not be set", text)

    def test_unknown_owner(self) -> None:
        """Owners that the system does not know are refused at once."""
        text = self.refusal("redirect", file="/a", owners="no-such-user-here")
        self.assertIn('unknown user "no-such-user-here"', text)
        text = self.refusal("redirect", file="/a", owngroups="no-such-group-here")
        self.assertIn('unknown group "no-such-group-here"', text)
