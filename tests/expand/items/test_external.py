"""Tests of ``mta.expand.items.external``."""

from __future__ import annotations

import os

from mta.errors import ConfigurationError, ExpansionError, ForcedFailure, TaintError
from mta.expand.context import Context
from mta.taint import Tainted, is_tainted
from tests.expand.expansions import ExpansionTestCase, routed

DAY = 86400.0


class ReadfileTests(ExpansionTestCase):
    """``readfile``."""

    def test_content(self) -> None:
        """The content is inserted, with its line ends or others."""
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("a$x\nb\n")
        self.context.values["value"] = path

        self.check(
            ("${readfile{$value}}", "a$x\nb\n"), ("${readfile{$value}{:}}", "a$x:b:")
        )

    def test_refusals(self) -> None:
        """Missing files and what is none fail; tainted names are refused."""
        self.check_errors(
            ExpansionError,
            "${readfile{/none/such}}",
            "${readfile{/}}",
            "${readfile{\\0}}",
        )
        self.context.values["value"] = Tainted("/etc/passwd")
        self.check_errors(TaintError, "${readfile{$value}}")


class ACLItemTests(ExpansionTestCase):
    """``acl``."""

    def test_message(self) -> None:
        """The message is the result."""

        async def run(
            context: Context, name: str, arguments: list[str]
        ) -> tuple[bool, str]:
            return False, f"{name} {arguments}"

        self.context.site.run_acl = run

        self.check(("${acl{one}{a}{b}}", "one ['a', 'b']"))
        self.check_errors(ConfigurationError, "${acl{n}" + "{a}" * 10 + "}")


class RunTests(ExpansionTestCase):
    """``run``."""

    def setUp(self) -> None:
        """Have a runner whose commands give what a test wants."""
        super().setUp()
        self.commands: list[list[str]] = []
        self.status, self.output = 0, "output"

        async def run_command(words: list[str]) -> tuple[int, str]:
            self.commands.append(words)
            return self.status, self.output

        self.context.site.run_command = run_command
        self.context.address = routed("a b@example.com".replace(" ", "_"))
        self.context.address.local_part = Tainted("a b; $x")

    def test_words(self) -> None:
        """The command is split before its words are expanded."""
        command = """/bin/x -a "b c" 'd e' $local_part ${lc:F G}"""
        self.check((f"${{run{{{command}}}}}", "output"))
        self.assertEqual(
            self.commands, [["/bin/x", "-a", "b c", "d e", "a b; $x", "f g"]]
        )

    def test_success(self) -> None:
        """``$value`` is the output and stays, as does ``$runrc``."""
        self.check(("${run{/bin/x}{<$value>}{no}}$runrc$value", "<output>0output"))

    def test_failure(self) -> None:
        """The second string is the result, nothing, or a forced failure."""
        self.status = 3

        self.check(
            ("${run{/bin/x}{y}{no $value}}$runrc", "no output3"), ("${run{/bin/x}}", "")
        )
        self.check_errors(ForcedFailure, "${run{/bin/x}{y}fail}")

    def test_preexpand(self) -> None:
        """The command is expanded as a whole, and then may not be tainted."""
        self.context.values["item"] = "b c"

        self.check(("${run,preexpand{/bin/x a $item}{y}}", "y"))
        self.assertEqual(self.commands, [["/bin/x", "a", "b", "c"]])
        self.check_errors(TaintError, "${run,preexpand{/bin/x $local_part}}")

    def test_tainted_command(self) -> None:
        """The command itself may never be an outsider's."""
        self.check_errors(TaintError, "${run{$local_part}}", "${run{/bin/$domain a}}")
        self.assertEqual(self.commands, [])

    def test_malformed(self) -> None:
        """Unknown options, empty commands and open quotes are refused."""
        self.check_errors(
            ConfigurationError, "${run,x{/bin/x}}", "${run{}}", '${run{/bin/x "a}}'
        )
        self.check_errors(ExpansionError, "${run{$item}}", "${run,preexpand{$item}}")

    def test_without_runner(self) -> None:
        """Where no command can be run, it fails."""
        self.context.site.run_command = None

        self.check_errors(ExpansionError, "${run{/bin/x}}")


class TaggedAddressTests(ExpansionTestCase):
    """``prvs`` and ``prvscheck``."""

    def setUp(self) -> None:
        """Stand at a known day."""
        super().setUp()
        self.now = 20000 * DAY
        self.context.site.clock = lambda: self.now

    def test_there_and_back(self) -> None:
        """A tagged address is found good with the same secret."""
        tagged = self.expand("${prvs{user@example.com}{secret}{3}}")
        self.assertRegex(tagged, r"\Aprvs=3007[0-9a-f]{6}=user@example\.com\Z")
        self.context.values["item"] = tagged

        self.check(
            ("${prvscheck{$item}{secret}}", "user@example.com"),
            ("${prvscheck{$item}{secret}{[$prvscheck_result]}}", "[1]"),
            ("${prvscheck{$item}{other}{[$prvscheck_result]}}", "[]"),
            (
                "${prvscheck{$item}{${if eq{$prvscheck_keynum}{3}{secret}}}"
                "{$prvscheck_address $prvscheck_result}}",
                "user@example.com 1",
            ),
            ("$prvscheck_result/$prvscheck_address", "1/"),
        )

    def test_age(self) -> None:
        """A tag is good for seven days."""
        self.context.values["item"] = self.expand("${prvs{a@b.c}{s}}")
        text = "${prvscheck{$item}{s}{<$prvscheck_result>}}"
        for days, expected in ((7, "<1>"), (8, "<>")):
            self.now = (20000 + days) * DAY
            self.check((text, expected))

    def test_changed(self) -> None:
        """A tag belongs to its address."""
        tagged = self.expand("${prvs{user@example.com}{s}}")
        self.context.values["item"] = tagged.replace("=user", "=other")

        self.check(("${prvscheck{$item}{s}{<$prvscheck_result>}}", "<>"))

    def test_not_tagged(self) -> None:
        """Another address gives nothing; every part of a tagged one does."""
        tagged = self.expand("${prvs{u@e.c}{s}}")
        for end in range(tagged.index("@") + 1):
            self.context.values["item"] = tagged[:end]
            self.check(("${prvscheck{$item}{s}{x}}", ""))

    def test_taint(self) -> None:
        """The address is as tainted as it came."""
        tagged = Tainted(self.expand("${prvs{u@e.c}{s}}"))
        self.context.values["item"] = tagged

        self.assertTrue(is_tainted(self.expand("${prvscheck{$item}{s}}")))

    def test_malformed(self) -> None:
        """A tag needs a whole address and a key number of one digit."""
        self.check_errors(ExpansionError, "${prvs{a}{s}}", "${prvs{a@b}{s}{12}}")
