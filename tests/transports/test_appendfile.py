"""Tests for ``mta.transports.appendfile``."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mta.errors import ConfigurationError
from mta.expand.context import Site
from mta.recipient import Outcome, Result
from mta.taint import Tainted
from mta.testing import PlainLanguage
from mta.transports.appendfile import AppendfileTransport
from mta.transports.base import Batch
from mta.transports.mailbox_locks import LockFile, Locking
from tests.transports.delivering import Pieces, batch_of, open_directory


def transport(**options: str) -> AppendfileTransport:
    """Return a transport with options."""
    return AppendfileTransport.with_texts(
        options, language=PlainLanguage(), name="local"
    )


class ConfigurationTests(SynchronousTestCase):
    """Options that contradict each other."""

    def test_two_targets(self) -> None:
        """File and directory exclude each other."""
        self.assertRaises(ConfigurationError, transport, file="/a", directory="/b")
        self.assertRaises(
            ConfigurationError, transport, file="/a", maildir_format="true"
        )

    def test_no_lock(self) -> None:
        """A mailbox file needs a lock."""
        self.assertRaises(
            ConfigurationError,
            transport,
            file="/a",
            use_lockfile="false",
            use_fcntl_lock="false",
        )

    def test_create_file(self) -> None:
        """create_file knows three words and paths."""
        self.assertRaises(ConfigurationError, transport, create_file="nowhere")
        self.assertEqual(transport(create_file="/x").create_file, "/x")


class AppendfileCase(TestCase):
    """Delivers for real, in threads."""

    def setUp(self) -> None:
        self.directory = open_directory(self)

    async def deliver(
        self, driver: AppendfileTransport, batch: Batch | None = None
    ) -> Outcome:
        """Deliver a batch of one address."""
        driver.attach(reactor=reactor, thread_pool=reactor.getThreadPool())
        self.addCleanup(lambda: Deferred.fromCoroutine(driver.close()))
        (outcome,) = await driver.deliver(batch or batch_of())
        return outcome

    async def deferred_text(
        self, driver: AppendfileTransport, batch: Batch | None = None
    ) -> str:
        """Deliver what must be deferred, and return why."""
        outcome = await self.deliver(driver, batch)
        self.assertIs(outcome.result, Result.DEFERRED)
        return outcome.text

    def read(self, path: str) -> bytes:
        """Return what is in a file, or in the one file of a directory."""
        path = os.path.join(self.directory, path)
        if os.path.isdir(path):
            (name,) = os.listdir(path)
            path = os.path.join(path, name)
        with open(path, "rb") as file:
            return file.read()


class MaildirTests(AppendfileCase):
    """A Maildir by the option directory."""

    async def test_delivered(self) -> None:
        """The message is in new/, unchanged but for its line ends."""
        driver = transport(directory=f"{self.directory}/box", maildir_format="true")

        outcome = await self.deliver(driver)

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertTrue(outcome.local)
        self.assertEqual(
            self.read("box/new"),
            b"From: a@example.org\nSubject: x\n\nHello\nFrom me\n",
        )

    async def test_many(self) -> None:
        """Many at once all arrive."""
        driver = transport(directory=f"{self.directory}/box", maildir_format="true")
        waiting = [
            Deferred.fromCoroutine(self.deliver(driver, batch_of(f"{n}@example.com")))
            for n in range(50)
        ]

        for outcome in waiting:
            self.assertIs((await outcome).result, Result.DELIVERED)
        self.assertEqual(len(os.listdir(f"{self.directory}/box/new")), 50)

    async def test_again_after_a_crash(self) -> None:
        """What a process had delivered before it died is not delivered twice."""
        driver = transport(directory=f"{self.directory}/box", maildir_format="true")
        await self.deliver(driver)
        (name,) = os.listdir(f"{self.directory}/box/new")

        again = batch_of()
        again.context.queue_running = True
        self.assertIs((await self.deliver(driver, again)).result, Result.DELIVERED)
        self.assertEqual([name], os.listdir(f"{self.directory}/box/new"))

        # A mail reader has looked in between.
        os.rename(
            f"{self.directory}/box/new/{name}", f"{self.directory}/box/cur/{name}:2,S"
        )
        self.assertIs((await self.deliver(driver, again)).result, Result.DELIVERED)
        self.assertEqual([], os.listdir(f"{self.directory}/box/new"))
        self.assertEqual([], os.listdir(f"{self.directory}/box/tmp"))

    async def test_copies(self) -> None:
        """Different addresses and routers are different deliveries."""
        driver = transport(directory=f"{self.directory}/box", maildir_format="true")
        for batch in (
            batch_of(), batch_of("ann@example.com"), batch_of(router="second"),
        ):  # fmt: skip
            await self.deliver(driver, batch)
        self.assertEqual(3, len(os.listdir(f"{self.directory}/box/new")))

    async def test_large(self) -> None:
        """A body that is not in memory is written in pieces."""
        driver = transport(directory=f"{self.directory}/box", maildir_format="true")

        await self.deliver(driver, batch_of(body=Pieces(b"abc\r\n" * 1000, 7)))

        self.assertTrue(self.read("box/new").endswith(b"\n\n" + b"abc\n" * 1000))

    async def test_fields_added(self) -> None:
        """The generic options add fields before the others."""
        driver = transport(
            directory=f"{self.directory}/box",
            maildir_format="true",
            return_path_add="true",
            envelope_to_add="true",
        )

        await self.deliver(driver)

        self.assertTrue(
            self.read("box/new").startswith(
                b"Return-path: <>\nEnvelope-to: joe@example.com\nFrom: a@"
            )
        )

    async def test_tag(self) -> None:
        """The tag is expanded with the size that was written."""
        driver = transport(
            directory=f"{self.directory}/box",
            maildir_format="true",
            maildir_tag=",S=$message_size",
        )

        await self.deliver(driver)

        (name,) = os.listdir(f"{self.directory}/box/new")
        size = len(self.read("box/new"))
        self.assertTrue(name.endswith(f",S={size}"), name)

    async def test_tag_with_letter(self) -> None:
        """A tag that begins with a letter gets a colon."""
        driver = transport(
            directory=f"{self.directory}/box", maildir_format="true", maildir_tag="x"
        )

        await self.deliver(driver)

        (name,) = os.listdir(f"{self.directory}/box/new")
        self.assertTrue(name.endswith(":x"), name)

    async def test_tag_with_slash(self) -> None:
        """A tag may not lead elsewhere."""
        driver = transport(
            directory=self.directory, maildir_format="true", maildir_tag="/../x"
        )

        self.assertIn("slash", await self.deferred_text(driver))


class MailboxTests(AppendfileCase):
    """A mailbox file by the option file."""

    async def test_delivered(self) -> None:
        """The message has a From line, an empty line and escaped lines."""
        await self.deliver(transport(file=f"{self.directory}/box"))

        lines = self.read("box").split(b"\n")
        self.assertTrue(lines[0].startswith(b"From MAILER-DAEMON "))
        self.assertEqual(lines[1:3], [b"From: a@example.org", b"Subject: x"])
        self.assertEqual(lines[3:], [b"", b"Hello", b">From me", b"", b""])

    async def test_other_format(self) -> None:
        """Prefix, suffix and escaping may be changed or left out."""
        driver = transport(
            file=f"{self.directory}/box",
            message_prefix="start\n",
            message_suffix="",
            check_string="Hello",
            escape_string="Bye",
            use_crlf="true",
        )

        await self.deliver(driver)

        self.assertEqual(
            self.read("box"),
            b"start\nFrom: a@example.org\r\nSubject: x\r\n\r\nBye\r\nFrom me\r\n",
        )

    async def test_locked(self) -> None:
        """A locked mailbox is waited for."""
        path = f"{self.directory}/box"
        lock = LockFile(path, Locking(), "other")
        lock.take()
        reactor.callLater(0.2, lock.release)
        driver = transport(file=path, lock_interval="1s", lock_retries="3")

        outcome = await self.deliver(driver)

        self.assertIs(outcome.result, Result.DELIVERED)

    async def test_locked_too_long(self) -> None:
        """But not for ever."""
        path = f"{self.directory}/box"
        LockFile(path, Locking(), "other").take()
        driver = transport(file=path, lock_interval="1s", lock_retries="0")

        outcome = await self.deliver(driver)

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(outcome.error, -9)
        self.assertIn("failed to lock mailbox", outcome.text)

    async def test_several_addresses(self) -> None:
        """One message serves all addresses of a batch."""
        driver = transport(file=f"{self.directory}/box")
        driver.attach(reactor=reactor, thread_pool=None)
        self.addCleanup(lambda: Deferred.fromCoroutine(driver.close()))

        found = await driver.deliver(batch_of("a@example.com", "b@example.com"))

        self.assertEqual([outcome.result for outcome in found], [Result.DELIVERED] * 2)
        self.assertEqual(self.read("box").count(b"Subject:"), 1)


class TargetTests(AppendfileCase):
    """Where a message goes."""

    async def test_tainted(self) -> None:
        """A path that an outsider chose is refused."""
        batch = batch_of()
        batch.context.values["local_part"] = Tainted("joe")
        driver = transport(file=f"{self.directory}/$local_part")

        text = await self.deferred_text(driver, batch)

        self.assertIn("Tainted file or directory name", text)
        self.assertEqual(os.listdir(self.directory), [])

    async def test_relative(self) -> None:
        """A relative path is refused."""
        self.assertIn("absolute path", await self.deferred_text(transport(file="box")))

    async def test_nul(self) -> None:
        """So is one with a NUL."""
        text = await self.deferred_text(transport(file="/tmp/a\0b"))

        self.assertIn("absolute path", text)

    async def test_nowhere(self) -> None:
        """A transport for redirections needs a redirection."""
        self.assertIn("neither file nor", await self.deferred_text(transport()))

    async def test_redirected_to_file(self) -> None:
        """A redirection to a file appends to it."""
        path = f"{self.directory}/box"

        await self.deliver(transport(), batch_of(file_name=path))

        self.assertTrue(self.read("box").startswith(b"From "))

    async def test_redirected_to_directory(self) -> None:
        """A final slash means a directory."""
        await self.deliver(transport(), batch_of(file_name=f"{self.directory}/box/"))

        self.assertTrue(self.read("box").startswith(b"From: a@"))

    async def test_redirected_to_maildir(self) -> None:
        """maildir_format makes it a Maildir, slash or not."""
        driver = transport(maildir_format="true")

        await self.deliver(driver, batch_of(file_name=f"{self.directory}/box"))

        self.assertTrue(self.read("box/new").startswith(b"From: a@"))

    async def test_redirected_to_null(self) -> None:
        """What goes to /dev/null is delivered."""
        outcome = await self.deliver(transport(), batch_of(file_name="/dev/null"))

        self.assertIs(outcome.result, Result.DELIVERED)

    async def test_too_big(self) -> None:
        """A message over the transport's limit fails."""
        driver = transport(file=f"{self.directory}/box", message_size_limit="10")

        outcome = await self.deliver(driver)

        self.assertIs(outcome.result, Result.FAILED)
        self.assertIn("transport limit = 10", outcome.text)

    async def test_below_home(self) -> None:
        """belowhome makes files in the home directory, and trusts their names."""
        driver = transport(create_file="belowhome")
        inside = batch_of(file_name=Tainted(f"{self.directory}/box"))
        inside.addresses[0].home = self.directory

        outcome = await self.deliver(driver, inside)

        self.assertIs(outcome.result, Result.DELIVERED)

    async def test_not_below_home(self) -> None:
        """Anywhere else, and by way of .., it makes none."""
        driver = transport(create_file="belowhome")
        os.mkdir(f"{self.directory}/home")
        os.chmod(f"{self.directory}/home", 0o777)
        for path in (f"{self.directory}/box", f"{self.directory}/home/../box"):
            outside = batch_of(file_name=path)
            outside.addresses[0].home = f"{self.directory}/home"
            self.assertIn("create_file", await self.deferred_text(driver, outside))
        self.assertEqual(os.listdir(self.directory), ["home"])

    async def test_below_path(self) -> None:
        """A path in create_file stands for the home directory."""
        driver = transport(create_file=f"{self.directory}/a")
        inside = batch_of(file_name=Tainted(f"{self.directory}/a/box"))
        outside = batch_of(file_name=Tainted(f"{self.directory}/box"))

        self.assertIs((await self.deliver(driver, inside)).result, Result.DELIVERED)
        self.assertIn("Tainted", await self.deferred_text(driver, outside))


class UserTests(AppendfileCase):
    """Whom the delivery runs as."""

    async def test_root(self) -> None:
        """Nothing is delivered as root."""
        if os.geteuid() != 0:
            self.skipTest("only root can deliver as somebody else")
        batch = batch_of(user=0, group=0)

        text = await self.deferred_text(transport(file=f"{self.directory}/box"), batch)

        self.assertIn("never_users", text)

    async def test_user_of_transport(self) -> None:
        """The transport's user is taken before the router's."""
        if os.geteuid() != 0:
            self.skipTest("only root can deliver as somebody else")
        driver = transport(file=f"{self.directory}/box", user="1234", group="2345")

        outcome = await self.deliver(driver, batch_of(site=Site()))

        self.assertIs(outcome.result, Result.DELIVERED)
        status = os.stat(f"{self.directory}/box")
        self.assertEqual((status.st_uid, status.st_gid), (1234, 2345))
