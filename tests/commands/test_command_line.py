"""What every command does alike: refusals, errors, who may call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import Mode
from mta.commands.command_line import main
from tests.commands.calling import MISSING, CommandCase

_LOADED = """\
import sys
from mta.commands.command_line import main
status = main(["mta", *sys.argv[1:]])
heavy = ("twisted.internet.reactor", "OpenSSL", "cryptography", "dns")
print("loaded:", [name for name in heavy if name in sys.modules], status)
"""


class UsageTests(CommandCase):
    """Command lines that make no sense."""

    def test_unknown_option(self) -> None:
        """The option is named, after the name the command was called by."""
        result = self.call("-bzz", program="/usr/sbin/sendmail")

        text = "\nsendmail abandoned: unknown, malformed, or incomplete option -bzz\n\n"
        self.assertEqual((1, text), (result.status, result.errors))

    def test_module(self) -> None:
        """``python -m mta`` calls itself mta."""
        result = self.call("-bzz", program="/x/mta/__main__.py")

        self.assertIn("\nmta abandoned:", result.errors)

    def test_nothing_to_do(self) -> None:
        """Without recipients nothing is read; the caller learns what this is."""
        for words in ([], ["-odf"], ["-f", "a@b"]):
            with self.subTest(words=words):
                result = self.call(*words, text=b"Subject: x\n\n")

                self.assertEqual(1, result.status)
                self.assertIn("mail transfer agent", result.errors)
        self.assertEqual([], self.queued())

    def test_help(self) -> None:
        """``--help`` names every command there is, and needs no configuration."""
        os.unlink(self.configuration)

        result = self.call("--help")

        self.assertEqual(0, result.status)
        for mode in Mode:
            if mode not in (Mode.HELP, Mode.SUBMIT, Mode.REBUILD_ALIASES):
                with self.subTest(mode=mode):
                    self.assertIn(mode.value, result.output)


class ManualTests(SynchronousTestCase):
    """The page of the manual."""

    def test_every_option(self) -> None:
        """It describes every option that asks for something."""
        page = Path(__file__).resolve().parents[2] / "docs" / "command.rst"
        text = page.read_text("utf-8")

        for mode in Mode:
            if mode.value.startswith("-"):
                with self.subTest(mode=mode):
                    self.assertRegex(text, rf"``{mode.value}[` ]")


class ConfigurationTests(CommandCase):
    """Configurations that cannot be used."""

    def test_errors(self) -> None:
        """Each error is a line with file and line; nothing is made on disk."""
        self.configure("no_such_option = 1", "queue_only = perhaps")

        for words in (["-bV"], ["-bp"], ["-odq", "user@ours.test"], ["-bd"], ["-q"]):
            with self.subTest(words=words):
                result = self.call(*words, text=b"Subject: x\n\n")

                lines = result.errors.splitlines()
                self.assertEqual((1, ""), (result.status, result.output))
                self.assertEqual(2, len(lines), lines)
                for line, number in zip(lines, (4, 5), strict=True):
                    place = f"in line {number} of {self.configuration}:"
                    self.assertIn(place, line)
        self.assertEqual(["mta.conf"], os.listdir(self.directory))

    def test_missing(self) -> None:
        """A file that does not exist is named."""
        os.unlink(self.configuration)

        result = self.call("-bV")

        self.assertEqual(1, result.status)
        self.assertIn(self.configuration, result.errors)

    def test_first_that_exists(self) -> None:
        """Of several files the first that exists is read."""
        self.configuration = f"/no/such/file:{self.configuration}"

        result = self.call("-bP", "primary_hostname")

        self.assertEqual("primary_hostname = ours.test\n", result.output)

    def test_macro(self) -> None:
        """``-D`` gives a macro of the configuration another value."""
        self.configure("WHO = nobody", "qualify_domain = WHO")

        result = self.call("-DWHO=me.test", "-bP", "qualify_domain")

        self.assertEqual("qualify_domain = me.test\n", result.output)


class AdministratorTests(CommandCase):
    """Who is neither root nor the spool's owner, nor in admin_groups."""

    def test_queue_is_not_theirs(self) -> None:
        """Others may neither look at the queue nor change it."""
        message_id = self.send("user@ours.test")
        self.become_stranger()

        for words in (
            ["-bp"],
            ["-bpc"],
            ["-q"],
            ["-R", "x"],
            ["-bd"],
            ["-M", message_id],
            ["-Mf", message_id],
            ["-Mt", message_id],
            ["-Mg", message_id],
            ["-Mmad", message_id],
            ["-Mmd", message_id, "user@ours.test"],
            ["-Mar", message_id, "other@ours.test"],
            ["-Mes", message_id, "a@b.test"],
            ["-Mvh", message_id],
            ["-Mvb", message_id],
            ["-Mvc", message_id],
            ["-Mvl", message_id],
        ):
            with self.subTest(words=words):
                result = self.call(*words)

                self.assertEqual((1, ""), (result.status, result.output))
                self.assertEqual("mta: permission denied\n", result.errors)
        self.assertEqual([message_id], self.queued())

    def test_what_is_everybodys(self) -> None:
        """Others may look at the configuration and try it."""
        self.become_stranger()

        for words in (["-bV"], ["-be", "x"], ["-bt", "user@ours.test"], ["-bP"]):
            with self.subTest(words=words):
                self.assertEqual(0, self.call(*words).status)

    def test_admin_groups(self) -> None:
        """The members of admin_groups may do all that the owner may."""
        self.become_stranger()
        self.patch(os, "getgroups", lambda: [STRANGE_GROUP])
        self.configure(f"admin_groups = {STRANGE_GROUP}")

        self.assertEqual(0, self.call("-bp").status)


STRANGE_GROUP = 4_343_434


class StartTests(CommandCase):
    """What a command that needs no network loads."""

    def test_light(self) -> None:
        """Neither the reactor nor TLS nor the DNS is loaded: they cost most."""
        self.send("user@ours.test")
        for words in (["-be", "${lc:X}"], ["-bp"], ["-bV"], ["-Mf", MISSING]):
            with self.subTest(words=words):
                found = subprocess.run(
                    [sys.executable, "-c", _LOADED, "-C", self.configuration, *words],
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=True,
                )
                self.assertIn("\nloaded: [] ", "\n" + found.stdout)


class EntryTests(SynchronousTestCase):
    """The name of the program."""

    def test_names(self) -> None:
        """Called mailq it lists, and so on; a wrong configuration ends each."""
        for program in ("mailq", "runq", "newaliases", "rsmtp"):
            with self.subTest(program=program):
                self.assertEqual(1, main([program, "-C", "/no/such/file"]))
