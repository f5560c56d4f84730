"""Trying a configuration: expansions, addresses, options, retry rules."""

from __future__ import annotations

from mta import routers, transports
from mta.interfaces import IRouter, ITransport
from mta.plugins import find
from tests.commands.calling import CommandCase


class VersionTests(CommandCase):
    """``-bV``."""

    def test_version(self) -> None:
        """What there is, and which configuration was read."""
        for option in ("-bV", "--version"):
            with self.subTest(option=option):
                result = self.call(option)

                self.assertEqual((0, ""), (result.status, result.errors))
                self.assertRegex(result.output, r"\Amta version \d")
                self.assertTrue(
                    result.output.endswith(
                        f"Configuration file is {self.configuration}\n"
                    )
                )
                for name in (*find(IRouter, routers), *find(ITransport, transports)):
                    self.assertRegex(result.output, rf"[: ]{name}\b")

    def test_warnings(self) -> None:
        """A demand that proves less than it seems to is allowed, and told."""
        with open(self.configuration, encoding="utf-8") as file:
            text = file.read()
        smtp = "begin transports\nout:\n  driver = smtp\n  hosts_require_ocsp = *\n"
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(text.replace("begin transports\n", smtp))

        result = self.call("-bV")

        self.assertEqual(0, result.status)
        self.assertIn(
            "\nWarning: transport out: hosts_require_ocsp is set, but "
            "hosts_require_tls is not",
            result.output,
        )


class ExpansionTests(CommandCase):
    """``-be``."""

    def test_arguments(self) -> None:
        """Each argument is a string; a failure is told, and the status stays 0."""
        result = self.call("-be", "${lc:ABC}", "${nosuch:x}", "$qualify_domain")

        first, second, third = result.output.splitlines()
        self.assertEqual(("abc", "ours.test"), (first, third))
        self.assertIn("Failed: ", second)
        self.assertIn("nosuch", second)
        self.assertEqual((0, ""), (result.status, result.errors))

    def test_lines(self) -> None:
        """Without arguments lines are asked for; a backslash continues one."""
        result = self.call("-be", text=b"${lc:A\\\n   B}\n\n$primary_hostname\n${lc:\\")

        self.assertEqual(0, result.status)
        self.assertEqual(
            ["ab", "", "ours.test"],
            [line.replace("> ", "") for line in result.output.splitlines()[:3]],
        )
        self.assertIn("Failed: ", result.output.splitlines()[-1])

    def test_any_octets(self) -> None:
        """Octets of no encoding come out as they went in."""
        self.assertEqual("\ufffd\n", self.call("-be", "\udcff").output)


class RouteTests(CommandCase):
    """``-bt``, ``-bv`` and ``-bvs``."""

    def test_routes(self) -> None:
        """Router and transport; children with their parents."""
        result = self.call("-bt", "user", "group@ours.test", "x@lost.test")

        self.assertEqual(0, result.status)
        self.assertEqual(
            "user@ours.test\n  router = local, transport = maildir\n"
            "user@ours.test\n    <-- group@ours.test\n"
            "  router = local, transport = maildir\n"
            "other@ours.test\n    <-- group@ours.test\n"
            "  router = local, transport = maildir\n"
            "mail to x@lost.test is discarded\n",
            result.output,
        )

    def test_failures(self) -> None:
        """2 where an address fails, else 1 where one has to wait."""
        for option, verdict in (
            ("-bt", "is undeliverable"),
            ("-bv", "failed to verify"),
        ):
            with self.subTest(option=option):
                later = self.call(option, "user", "x@later.test")
                self.assertEqual(1, later.status)
                self.assertIn(
                    "x@later.test cannot be resolved at this time: try again",
                    later.output,
                )
                failed = self.call(option, "no@ours.test", "x@later.test", "user")
                self.assertEqual(2, failed.status)
                self.assertIn(f"no@ours.test {verdict}: ", failed.output)
                wrong = self.call(option, "a@@b")
                self.assertEqual(2, wrong.status)
                self.assertIn("syntax error: ", wrong.output)

    def test_verified(self) -> None:
        """An address that verifies is said to."""
        for option in ("-bv", "-bvs"):
            with self.subTest(option=option):
                result = self.call(option, "<user@ours.test>")
                self.assertEqual(
                    (0, "user@ours.test verified\n"), (result.status, result.output)
                )

    def test_lines(self) -> None:
        """Without arguments addresses are asked for, until there are no more."""
        result = self.call("-bv", text=b"user\n\n  other  \n")

        self.assertEqual(
            "> user@ours.test verified\n> > other@ours.test verified\n> \n",
            result.output,
        )


class OptionTests(CommandCase):
    """``-bP``."""

    def test_forms(self) -> None:
        """Options, lists, drivers, macros, the configuration itself."""
        self.configure("queue_only", "WHO = me", "hide qualify_domain = q.test")

        for words, expected in (
            (["queue_only"], "queue_only\n"),
            (["qualify_domain"], "qualify_domain = q.test\n"),
            (["+local_domains"], "domainlist local_domains = ours.test\n"),
            (["router_list"], "local\nwait\nlost\ngroup\n"),
            (["transport_list"], "maildir\n"),
            (["configure_file"], f"{self.configuration}\n"),
            (["config_file"], f"{self.configuration}\n"),
            (["macro", "WHO"], "WHO=me\n"),
        ):
            with self.subTest(words=words):
                result = self.call("-bP", *words)
                self.assertEqual((0, expected), (result.status, result.output))
        self.assertEqual("true\n", self.call("-n", "-bP", "queue_only").output)
        router = self.call("-bP", "router", "local").output
        self.assertIn("driver = accept\n", router)
        self.assertIn("domains = +local_domains\n", router)
        self.assertIn("maildir transport:\n", self.call("-bP", "transports").output)
        self.assertIn("queue_only\n", self.call("-bP").output)

    def test_unknown(self) -> None:
        """What is not there is named, with status 1."""
        for words in (["nosuch"], ["router", "nosuch"], ["+nosuch"]):
            with self.subTest(words=words):
                result = self.call("-bP", *words)
                self.assertEqual((1, ""), (result.status, result.output))
                self.assertIn("nosuch", result.errors)

    def test_hidden(self) -> None:
        """Hidden values are for administrators."""
        self.configure("hide qualify_domain = q.test")
        self.become_stranger()

        for words in (["qualify_domain"], ["config"], []):
            with self.subTest(words=words):
                self.assertNotIn("q.test", self.call("-bP", *words).output)


class RetryTests(CommandCase):
    """``-brt``."""

    def test_rule(self) -> None:
        """The rule for a domain."""
        result = self.call("-brt", "far.test")

        self.assertEqual(0, result.status)
        self.assertRegex(result.output, r"\ARetry rule: \* +\* +F,2h,15m; \n\Z")

    def test_nothing_asked(self) -> None:
        """A domain is wanted."""
        self.assertEqual(1, self.call("-brt").status)


class AliasTests(CommandCase):
    """``newaliases``."""

    def test_nothing_to_do(self) -> None:
        """Alias files are read as they are: scripts that call it go on."""
        self.assertEqual(0, self.call(program="newaliases").status)
        self.assertEqual(0, self.call("-bi").status)
