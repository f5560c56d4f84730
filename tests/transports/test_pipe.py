"""Tests for ``mta.transports.pipe``."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mta.address import Address
from mta.errors import ConfigurationError
from mta.recipient import Outcome, Result
from mta.taint import Tainted
from mta.testing import PlainLanguage
from mta.transports.base import Batch
from mta.transports.pipe import PipeTransport
from tests.transports.delivering import batch_of, open_directory

SENDER = Address("sender", "example.org")


def transport(command: str | None = None, **options: str) -> PipeTransport:
    """Return a transport with options."""
    if command is not None:
        options["command"] = command
    return PipeTransport.with_texts(options, language=PlainLanguage(), name="run")


class ConfigurationTests(SynchronousTestCase):
    """Options that contradict each other, and commands that cannot be."""

    def test_contradictions(self) -> None:
        """Some options exclude each other."""
        for names in (
            "return_output return_fail_output",
            "log_output log_fail_output",
            "use_shell restrict_to_path",
        ):
            options = dict.fromkeys(names.split(), "true")
            self.assertRaises(ConfigurationError, transport, "/bin/true", **options)

    def test_commands(self) -> None:
        """Open quotes and nothing are no commands."""
        self.assertRaises(ConfigurationError, transport, "/bin/x 'a")
        self.assertRaises(ConfigurationError, transport, " ")

    def test_addresses_in_shell(self) -> None:
        """A shell would take addresses for code."""
        self.assertRaises(
            ConfigurationError, transport, "x $pipe_addresses", use_shell="true"
        )

    def test_temp_errors(self) -> None:
        """temp_errors are numbers or a star."""
        self.assertEqual(transport().temp_errors, frozenset({73, 75}))
        self.assertEqual(len(transport(temp_errors="*").temp_errors), 255)
        self.assertRaises(ConfigurationError, transport, temp_errors="x")


class PipeCase(TestCase):
    """Runs commands for real."""

    def setUp(self) -> None:
        self.directory = open_directory(self)

    async def deliver(
        self, driver: PipeTransport, batch: Batch | None = None
    ) -> Outcome:
        """Deliver a batch and return the first outcome."""
        driver.attach(reactor=reactor, thread_pool=None)
        self.batch = batch or batch_of(sender=SENDER)
        found = await driver.deliver(self.batch)
        return found[0]

    async def shell(self, text: str, **options: str) -> Outcome:
        """Deliver to a shell command."""
        return await self.deliver(transport(f"/bin/sh -c '{text}'", **options))

    async def output(self, driver: PipeTransport, batch: Batch | None = None) -> bytes:
        """Return what a command writes, by having it returned."""
        outcome = await self.deliver(driver, batch)
        self.assertIs(outcome.result, Result.FAILED)
        return outcome.output

    def logged(self) -> list[str]:
        """Return the lines of the main log."""
        return self.batch.context.site.logs.lines


class ContentTests(PipeCase):
    """What the command reads."""

    async def test_standard(self) -> None:
        """A From line, the message in LF lines, and an empty line."""
        output = await self.output(transport("/bin/cat", return_output="true"))

        first, _, rest = output.partition(b"\n")
        self.assertTrue(first.startswith(b"From sender@example.org "))
        self.assertEqual(rest, b"From: a@example.org\nSubject: x\n\nHello\nFrom me\n\n")

    async def test_changed(self) -> None:
        """Prefix, suffix, escaping and line ends may be changed."""
        driver = transport(
            "/bin/cat",
            return_output="true",
            message_prefix="",
            message_suffix="end",
            check_string="Hello",
            escape_string="Bye",
            use_crlf="true",
        )

        self.assertEqual(
            await self.output(driver),
            b"From: a@example.org\r\nSubject: x\r\n\r\nBye\r\nFrom me\r\nend",
        )


class CommandTests(PipeCase):
    """Which command is run, and with which words."""

    async def test_words_expanded_singly(self) -> None:
        """A value with spaces stays one word."""
        batch = batch_of(sender=SENDER)
        batch.context.values["x"] = "a b"
        driver = transport("/usr/bin/printf [%s] $x 'c d'", return_output="true")

        self.assertEqual(await self.output(driver, batch), b"[a b][c d]")

    async def test_addresses(self) -> None:
        """$pipe_addresses stands for all addresses, each a word."""
        batch = batch_of("a@example.com", "b@example.com", sender=SENDER)
        driver = transport("printf [%s] $pipe_addresses", return_output="true")

        self.assertEqual(
            await self.output(driver, batch), b"[a@example.com][b@example.com]"
        )

    async def test_shell(self) -> None:
        """With use_shell the command is a shell's."""
        driver = transport("echo a | tr a b", use_shell="true", return_output="true")

        self.assertEqual(await self.output(driver), b"b\n")

    async def test_tainted(self) -> None:
        """A word that an outsider chose is refused, in a shell as well."""
        for options in ({}, {"use_shell": "true"}):
            batch = batch_of(sender=SENDER)
            batch.context.values["x"] = Tainted("rm")

            outcome = await self.deliver(transport("/bin/echo $x", **options), batch)

            self.assertIs(outcome.result, Result.DEFERRED)
            self.assertIn("Tainted command", outcome.text)

    async def test_redirected(self) -> None:
        """A redirection to a command runs it, and nothing in it is expanded."""
        batch = batch_of(sender=SENDER, pipe_command="/bin/echo '$x' b")

        self.assertEqual(
            await self.output(transport(return_output="true"), batch), b"$x b\n"
        )

    async def test_redirected_tainted(self) -> None:
        """Not if it was chosen by an outsider."""
        batch = batch_of(pipe_command=Tainted("/bin/echo"))

        outcome = await self.deliver(transport(), batch)

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertIn("Tainted command", outcome.text)

    async def test_none(self) -> None:
        """Without any command the message waits."""
        outcome = await self.deliver(transport())

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertIn("no command", outcome.text)

    async def test_not_found(self) -> None:
        """A command that is not on the path fails."""
        outcome = await self.deliver(transport("no-such-command"))

        self.assertIs(outcome.result, Result.FAILED)
        self.assertIn('"no-such-command" command not found', outcome.text)

    async def test_allowed(self) -> None:
        """allow_commands allows what it names, and nothing else."""
        options = {"allow_commands": "/bin/true : false"}

        good = await self.deliver(transport("/bin/true", **options))
        bad = await self.deliver(transport("true", **options))

        self.assertIs(good.result, Result.DELIVERED)
        self.assertIn("not permitted", bad.text)

    async def test_restricted(self) -> None:
        """restrict_to_path allows names without slashes that are on the path."""
        good = await self.deliver(transport("true", restrict_to_path="true"))
        bad = await self.deliver(transport("/bin/true", restrict_to_path="true"))

        self.assertIs(good.result, Result.DELIVERED)
        self.assertIs(bad.result, Result.FAILED)
        self.assertIn("security reasons", bad.text)

    async def test_allowed_or_on_path(self) -> None:
        """Both together allow what either does."""
        options = {"restrict_to_path": "true", "allow_commands": "/bin/true"}

        for command in ("/bin/true", "true"):
            outcome = await self.deliver(transport(command, **options))
            self.assertIs(outcome.result, Result.DELIVERED)


class EnvironmentTests(PipeCase):
    """What the command finds around it."""

    async def environment(self, batch: Batch, **options: str) -> dict[str, str]:
        """Return the environment of a command."""
        driver = transport("env", return_output="true", **options)
        text = (await self.output(driver, batch)).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    async def test_standard(self) -> None:
        """Exim's variables and no others."""
        found = await self.environment(batch_of(sender=SENDER, home="/usr"))

        self.assertEqual(
            found,
            {
                "DOMAIN": "example.com",
                "HOME": "/usr",
                "LOCAL_PART": "joe",
                "LOCAL_PART_PREFIX": "",
                "LOCAL_PART_SUFFIX": "",
                "LOGNAME": "joe",
                "MESSAGE_ID": "1abcde-00000000001-0001",
                "PATH": "/bin:/usr/bin",
                "QUALIFY_DOMAIN": "localhost",
                "RECIPIENT": "joe@example.com",
                "SENDER": "sender@example.org",
                "SHELL": "/bin/sh",
                "USER": "joe",
            },
        )

    async def test_added(self) -> None:
        """The option environment adds and changes."""
        found = await self.environment(
            batch_of(sender=SENDER), environment="A=b=c : USER=x", path="/bin"
        )

        self.assertEqual((found["A"], found["USER"], found["PATH"]),
                         ("b=c", "x", "/bin"))  # fmt: skip

    async def test_wrongly_added(self) -> None:
        """What is no name=value defers."""
        outcome = await self.deliver(transport("env", environment="x"))

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertIn("not name=value", outcome.text)

    async def test_redirected(self) -> None:
        """A command from an alias sees the address that was redirected."""
        batch = batch_of("child@x.example", sender=SENDER, pipe_command="env")
        batch.addresses[0].parent = batch_of("alias@example.com").addresses[0]
        driver = transport(return_output="true")

        output = await self.output(driver, batch)

        self.assertIn(b"LOCAL_PART=alias\n", output)
        self.assertIn(b"RECIPIENT=alias@example.com\n", output)

    async def test_directory(self) -> None:
        """The working directory is the router's, else the home, else the root."""
        for home, current, expected in (
            ("/usr", "/usr/bin", b"/usr/bin\n"),
            ("/usr", None, b"/usr\n"),
            (None, None, b"/\n"),
        ):
            batch = batch_of(sender=SENDER, home=home, current_directory=current)
            driver = transport("/bin/sh -c pwd", return_output="true")
            self.assertEqual(await self.output(driver, batch), expected)

    async def test_wrong_directory(self) -> None:
        """A directory that is missing defers."""
        outcome = await self.deliver(
            transport("/bin/true"), batch_of(current_directory="/no/such")
        )

        self.assertIs(outcome.result, Result.DEFERRED)

    async def test_user(self) -> None:
        """Root runs it as the user."""
        if os.geteuid() != 0:
            self.skipTest("only root can run commands as somebody else")
        driver = transport("id -u", return_output="true", user="1234", group="1234")

        self.assertEqual(await self.output(driver), b"1234\n")
