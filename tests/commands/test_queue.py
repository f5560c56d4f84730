"""Looking at the queue, and changing it."""

from __future__ import annotations

import os
import re

from mta.message import Message
from mta.spool.desk import QueueDesk
from tests.commands.calling import MISSING, STRANGER, CommandCase


class QueueCase(CommandCase):
    """A queue."""

    def desk(self) -> QueueDesk:
        """Return the queue as a command sees it."""
        return QueueDesk(os.path.join(self.directory, "spool", "queue"))

    def message(self, message_id: str) -> Message:
        """Return a queued message."""
        return self.desk().load(message_id)


class ListTests(QueueCase):
    """``-bp`` and its kin."""

    def test_no_spool(self) -> None:
        """Where nothing was ever queued nothing is listed, and nothing made."""
        self.assertEqual((0, ""), (self.call("-bp").status, self.call("-bp").output))
        self.assertEqual("0\n", self.call("-bpc").output)
        self.assertEqual(["mta.conf"], os.listdir(self.directory))

    def test_list(self) -> None:
        """Age, size, id, sender; then the recipients, and an empty line."""
        first = self.send("-f", "a@b.test", "user", "other")
        second = self.send("-f", "<>", "x@y.test", text=b"S: x\n\n" + b"x\n" * 10_000)
        self.call("-Mf", second)

        for words, program in ((["-bp"], "mta"), ([], "mailq"), (["-bpa"], "mta")):
            with self.subTest(words=words, program=program):
                result = self.call(*words, program=program)

                self.assertEqual(0, result.status)
                self.assertRegex(
                    result.output,
                    rf"\A 0m +\d\d\d {first} <a@b\.test>\n"
                    r" {10}user@ours\.test\n {10}other@ours\.test\n\n"
                    rf" 0m   \d\dK {second} <> \*\*\* frozen \*\*\*\n"
                    r" {10}x@y\.test\n\n\Z",
                )

    def test_done(self) -> None:
        """A recipient who has the message is marked; ``-bpu`` leaves such out."""
        message_id = self.send("user", "other")
        self.call("-Mmd", message_id, "user")

        self.assertIn("        D user@ours.test\n", self.call("-bp").output)
        undelivered = self.call("-bpu").output
        self.assertNotIn("user@ours.test", undelivered)
        self.assertIn("          other@ours.test\n", undelivered)

    def test_ids(self) -> None:
        """``-bpi`` lists ids, ``-bpc`` their number."""
        sent = [self.send("user"), self.send("user")]

        self.assertEqual(sent, self.call("-bpi").output.split())
        self.assertEqual(sent, self.call("-bpri").output.split())
        self.assertEqual("2\n", self.call("-bpc").output)

    def test_one(self) -> None:
        """An id as argument lists that message alone."""
        self.send("user")
        wanted = self.send("user")

        self.assertEqual(wanted, self.call("-bpi", wanted).output.strip())

    def test_spool_is_no_database(self) -> None:
        """A spool that cannot be read is told in a line, without a traceback."""
        self.send("user")
        path = os.path.join(self.directory, "spool", "queue", "queue.db")
        for suffix in ("-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        with open(path, "wb") as file:
            file.write(b"no database at all\n" * 1000)

        for words in (["-bp"], ["-bpc"], ["-Mvh", MISSING]):
            with self.subTest(words=words):
                result = self.call(*words)
                self.assertEqual((1, ""), (result.status, result.output))
                self.assertRegex(result.errors, r"\Amta: .*\n\Z")


class ChangeTests(QueueCase):
    """The ``-M`` options that change a message."""

    def test_freeze_and_thaw(self) -> None:
        """Each says what it did, or that there was nothing to do."""
        message_id = self.send("user")

        for option, status, text in (
            ("-Mt", 1, "is not frozen"),
            ("-Mf", 0, "is now frozen"),
            ("-Mf", 1, "is already frozen"),
            ("-Mt", 0, "is no longer frozen"),
        ):
            with self.subTest(option=option, text=text):
                result = self.call(option, message_id)
                self.assertEqual(
                    (status, f"Message {message_id} {text}\n"),
                    (result.status, result.output),
                )
        self.assertRegex(self.log(), rf"{message_id} frozen by \S+\n")
        self.assertRegex(self.log(), rf"{message_id} unfrozen by \S+\n")

    def test_remove(self) -> None:
        """A message is removed once; what is not there ends with status 1."""
        removed, kept = self.send("user"), self.send("user")

        result = self.call("-Mrm", removed, removed)

        self.assertEqual(1, result.status)
        self.assertEqual(
            f"Message {removed} has been removed\n"
            f"Message {removed} has been removed or did not exist\n",
            result.output,
        )
        self.assertEqual([kept], self.queued())
        self.assertRegex(self.log(), rf"{removed} removed by \S+\n")
        self.assertIn(f"{removed} Completed", self.log())

    def test_remove_large(self) -> None:
        """The file of a large body goes, too."""
        message_id = self.send("user", text=b"S: x\n\n" + b"x" * 99 * 1000)
        folder = os.path.join(self.directory, "spool", "queue", "bodies")
        self.assertEqual(1, len(os.listdir(folder)))

        self.call("-Mrm", message_id)

        self.assertEqual([], os.listdir(folder))

    def test_remove_own(self) -> None:
        """Who sent a message may take it back, and no message of others."""
        theirs = self.send("user")
        self.become_stranger()
        own = self.send("user")

        self.assertEqual(0, self.call("-Mrm", own).status)
        result = self.call("-Mrm", theirs)

        self.assertEqual(1, result.status)
        self.assertIn("permission denied", result.output)
        self.assertEqual([theirs], self.queued())
        self.assertIn(f"{own} removed by {STRANGER}", self.log())

    def test_recipients(self) -> None:
        """Recipients are added, and marked as done, one or all."""
        message_id = self.send("user")

        self.assertEqual(0, self.call("-Mar", message_id, "other", "x@y.test").status)
        self.assertEqual(0, self.call("-Mmd", message_id, "user@ours.test").status)

        self.assertEqual(
            [("user@ours.test", True), ("other@ours.test", False), ("x@y.test", False)],
            [(str(r.address), r.done) for r in self.message(message_id).recipients],
        )
        self.assertEqual(0, self.call("-Mmad", message_id).status)
        self.assertTrue(all(r.done for r in self.message(message_id).recipients))

    def test_wrong_addresses(self) -> None:
        """An address that is none, or nobody's, changes nothing."""
        message_id = self.send("user")

        for option, address in (("-Mar", "a@@b"), ("-Mmd", "no@b"), ("-Mes", "a@@b")):
            with self.subTest(option=option):
                result = self.call(option, message_id, address)
                self.assertEqual(1, result.status)
                self.assertRegex(result.output, rf"\AMessage {message_id} .*\n\Z")
        self.assertEqual(1, len(self.message(message_id).recipients))

    def test_sender(self) -> None:
        """The sender is another, or none."""
        message_id = self.send("user")

        self.assertEqual(0, self.call("-Mes", message_id, "new@b.test").status)
        self.assertEqual("new@b.test", str(self.message(message_id).sender))
        self.assertEqual(0, self.call("-Mes", message_id, "<>").status)
        self.assertFalse(self.message(message_id).sender)

    def test_missing(self) -> None:
        """A message that is not there ends each command with status 1."""
        self.send("user")

        for option in ("-Mf", "-Mt", "-Mmad"):
            with self.subTest(option=option):
                result = self.call(option, MISSING)
                self.assertEqual(1, result.status)
                self.assertIn("does not exist", result.output)

    def test_locked(self) -> None:
        """What another process works on is left alone."""
        message_id = self.send("user")

        with self.desk().claimed(message_id):
            for option in ("-Mf", "-Mrm", "-Mmad"):
                with self.subTest(option=option):
                    result = self.call(option, message_id)
                    self.assertEqual(1, result.status)
                    self.assertIn("is locked", result.output)

        self.assertEqual([message_id], self.queued())
        self.assertFalse(self.message(message_id).frozen)


class ShowTests(QueueCase):
    """The ``-Mv`` options."""

    def setUp(self) -> None:
        super().setUp()
        text = b"Subject: x\nTo: user@ours.test\n\nbody \xff\n"
        self.message_id = self.send("-f", "a@b.test", "user", text=text)

    def test_header(self) -> None:
        """Envelope and header section."""
        output = self.call("-Mvh", self.message_id).output

        self.assertTrue(output.startswith(f"{self.message_id}-H\n<a@b.test>\n"), output)
        self.assertIn("\n1\nuser@ours.test\n\n", output)
        self.assertIn("Subject: x\n", output)
        self.assertNotIn("body \ufffd", output)

    def test_body(self) -> None:
        """The body alone."""
        output = self.call("-Mvb", self.message_id).output

        self.assertEqual(f"{self.message_id}-D\nbody \ufffd\n", output)

    def test_message(self) -> None:
        """The whole message, as it would be sent, with LF."""
        output = self.call("-Mvc", self.message_id).output

        header, _, body = output.partition("\n\n")
        self.assertTrue(header.startswith("Received: "), header)
        self.assertIn("\nSubject: x\n", header)
        self.assertEqual("body \ufffd\n", body)

    def test_log(self) -> None:
        """What the main log says of the message."""
        self.send("user")

        lines = self.call("-Mvl", self.message_id).output.splitlines()

        self.assertEqual(1, len(lines))
        self.assertRegex(lines[0], rf" {re.escape(self.message_id)} <= a@b\.test ")

    def test_missing(self) -> None:
        """A message that is not there ends with status 1."""
        for option in ("-Mvh", "-Mvb", "-Mvc", "-Mvl"):
            with self.subTest(option=option):
                result = self.call(option, MISSING)
                self.assertEqual((1, ""), (result.status, result.output))
