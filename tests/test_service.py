"""``twistd mta``: its options, and the service that it runs."""

from __future__ import annotations

import os
import re
import sys
from io import StringIO
from pathlib import Path

from twisted.application.service import IService, IServiceMaker
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientCreator, Protocol
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mta.service import MTAService, Options, makeService

CONFIGURATION = """\
primary_hostname = mx.example
spool_directory = {directory}/spool
acl_smtp_rcpt = accept
begin routers
all:
  driver = redirect
  data = :blackhole:
  allow_fail
"""


def parsed(*words: str) -> Options:
    """Return options from a command line."""
    options = Options()
    options.parseOptions(list(words))
    return options


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def test_default(self) -> None:
        """Without options the shipped configuration is served by one process."""
        options = parsed()
        self.assertEqual(
            (None, {}, 1), (options["config"], options["macros"], options["workers"])
        )

    def test_all(self) -> None:
        """Every option has Exim's short name where Exim has one."""
        options = parsed(
            "-C", "/a:/b", "-D", "ONE=1", "--define", "TWO=a=b", "-q", "30m",
            "--listen", "25", "--workers", "1",
        )  # fmt: skip
        self.assertEqual("/a:/b", options["config"])
        self.assertEqual({"ONE": "1", "TWO": "a=b"}, options["macros"])
        self.assertEqual(("30m", "25"), (options["queue-interval"], options["listen"]))

    def test_wrong(self) -> None:
        """What makes no sense is refused by the name of the option."""
        for words, text in (
            (("--define", "one=1"), "--define one=1"),
            (("--define", "ONE"), "NAME=VALUE is wanted"),
            (("--queue-interval", "often"), "--queue-interval"),
            (("--workers", "2"), "only one worker"),
        ):
            error = self.assertRaises(UsageError, parsed, *words)
            self.assertIn(text, str(error))


class PluginTests(SynchronousTestCase):
    """What twistd finds."""

    def test_name(self) -> None:
        """There is one maker of the name, and it leads here."""
        makers = [
            maker for maker in getPlugins(IServiceMaker) if maker.tapname == "mta"
        ]
        self.assertEqual(["mta.service"], [maker.module for maker in makers])


class ServiceTestCase(TestCase):
    """Has a configuration file in a directory of its own."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        self.errors = StringIO()
        self.patch(sys, "stderr", self.errors)

    def write(self, text: str) -> str:
        path = os.path.join(self.directory, "mta.conf")
        Path(path).write_text(text.format(directory=self.directory), "utf-8")
        os.chmod(path, 0o644)
        return path

    def log(self) -> str:
        return Path(self.directory, "spool", "log", "mainlog").read_text("utf-8")

    def make(self, text: str, *words: str) -> IService:
        return makeService(parsed("--quiet", "-C", self.write(text), *words))


class MakeServiceTests(ServiceTestCase):
    """The service is made, or why it cannot be is told."""

    def test_errors(self) -> None:
        """A wrong configuration: a line for each error, status 1, nothing made."""
        error = self.assertRaises(
            SystemExit, self.make, CONFIGURATION + "  no_such = 1\n  nor_this = 2\n"
        )
        self.assertEqual(1, error.code)
        lines = self.errors.getvalue().splitlines()
        self.assertEqual(2, len(lines), lines)
        self.assertRegex(lines[0], r"\Amta: .*line 9 of .*/mta\.conf.*no_such")
        self.assertFalse(os.path.exists(os.path.join(self.directory, "spool")))

    def test_no_file(self) -> None:
        """A file that is not there is named."""
        error = self.assertRaises(
            SystemExit, makeService, parsed("-C", "/nonexistent/mta.conf")
        )
        self.assertEqual(1, error.code)
        self.assertIn("/nonexistent/mta.conf", self.errors.getvalue())

    def test_wrong_listen(self) -> None:
        """So is a place where nobody can listen."""
        self.assertRaises(SystemExit, self.make, CONFIGURATION, "--listen", "nowhere.")
        self.assertIn("nowhere.", self.errors.getvalue())

    def test_nothing_touched(self) -> None:
        """To make the service writes nothing: twistd may have to change its user."""
        self.make(CONFIGURATION, "--listen", "127.0.0.1.0")
        self.assertFalse(os.path.exists(os.path.join(self.directory, "spool")))


class LifeTests(ServiceTestCase):
    """The service runs."""

    async def _greeting(self, port: int) -> bytes:
        heard: Deferred[bytes] = Deferred()

        class Listen(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.callback(data)
                self.transport.abortConnection()

        await ClientCreator(reactor, Listen).connectTCP("127.0.0.1", port)
        return await heard

    async def _greeted(self, service: MTAService) -> bytes:
        service.privilegedStartService()
        service.startService()
        try:
            assert service.listener is not None
            return await self._greeting(service.listener.places[0].port)
        finally:
            await service.stopService()

    def test_life(self) -> Deferred[None]:
        """It greets, says in the log what runs and where, and ends without a trace."""

        async def live() -> None:
            service = self.make(CONFIGURATION, "--listen", "127.0.0.1.0", "-q", "1h")
            greeting = await self._greeted(service)
            self.assertTrue(greeting.startswith(b"220 mx.example ESMTP"), greeting)
            log = self.log()
            self.assertRegex(
                log,
                r"mta \S+ daemon started: pid=\d+, -q1h, listening for SMTP on "
                r"\[127\.0\.0\.1\]:\d+\n",
            )
            self.assertIn(f"configuration {self.directory}/mta.conf; ", log)
            self.assertIn(f"spool directory {self.directory}/spool; ", log)
            self.assertNotIn("swaks", log)

        return Deferred.fromCoroutine(live())

    def test_port_in_use(self) -> Deferred[None]:
        """A port that is taken ends the start with one line and status 1."""

        async def live() -> None:
            first = self.make(CONFIGURATION, "--listen", "127.0.0.1.0")
            first.privilegedStartService()
            port = first.listener.places[0].port
            second = self.make(CONFIGURATION, "--listen", f"127.0.0.1.{port}")
            error = self.assertRaises(SystemExit, second.privilegedStartService)
            self.assertEqual(1, error.code)
            self.assertEqual(
                f"mta: cannot listen on [127.0.0.1]:{port}: Address already in use\n",
                self.errors.getvalue(),
            )
            first.startService()
            await first.stopService()

        return Deferred.fromCoroutine(live())

    def test_only_queue(self) -> Deferred[None]:
        """``--no-listen`` runs the queue alone."""

        async def live() -> None:
            service = self.make(CONFIGURATION, "--no-listen", "-q", "1h")
            service.privilegedStartService()
            service.startService()
            await service.stopService()
            self.assertIn("-q1h, not listening for SMTP", self.log())

        return Deferred.fromCoroutine(live())

    def test_unusable_spool(self) -> None:
        """A spool that cannot be made ends the start with one line and status 1."""
        Path(self.directory, "spool").write_text("in the way")
        service = self.make(CONFIGURATION, "--listen", "127.0.0.1.0")
        service.privilegedStartService()
        error = self.assertRaises(SystemExit, service.startService)
        self.assertEqual(1, error.code)
        self.assertTrue(re.fullmatch(r"mta: .*spool.*\n", self.errors.getvalue()))
        return service.listener.stopService()
