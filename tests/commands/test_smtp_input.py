"""SMTP on standard input, by the program as a process."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

from tests.commands.calling import CommandCase
from tests.interop.programs import environment

MESSAGE = "MAIL FROM:<{}>\nRCPT TO:<user>\nDATA\nSubject: {}\n\nhi\n.\n"


class SMTPInputCase(CommandCase):
    """A process that is given SMTP."""

    def setUp(self) -> None:
        super().setUp()
        self.configure("acl_smtp_rcpt = accept")

    def speak(self, option: str, text: str, *words: str) -> tuple[int, str, str]:
        """Return status, output and errors."""
        found = subprocess.run(
            [sys.executable, *self.words(option, *words)],
            input=text.encode(),
            capture_output=True,
            timeout=60,
            check=False,
            env=environment(),
        )
        return found.returncode, found.stdout.decode(), found.stderr.decode()

    def words(self, option: str, *words: str) -> list[str]:
        """Return the command line, which queues only."""
        return ["-m", "mta", "-C", self.configuration, "-odq", option, *words]


class BatchTests(SMTPInputCase):
    """``-bS``."""

    def test_batch(self) -> None:
        """Every message is taken, in silence, a sender as the caller may name it."""
        text = MESSAGE.format("a@b.test", 1) + MESSAGE.format("", 2)

        self.assertEqual((0, "", ""), self.speak("-bS", text))

        self.assertEqual(2, len(self.queued()))
        self.assertRegex(self.log(), r" <= a@b\.test U=\S+ P=local-bsmtp ")

    def test_error_after_a_message(self) -> None:
        """An error ends the batch: 1 where messages were taken before it."""
        text = (
            MESSAGE.format("a@b.test", 1) + "MAIL FROM:<a@@b>\n" + MESSAGE.format("", 3)
        )

        status, output, errors = self.speak("-bS", text)

        self.assertEqual((1, "", 1), (status, output, len(self.queued())))
        self.assertIn("MAIL FROM:<a@@b>", errors)
        self.assertIn("1 messages before it were accepted", errors)

    def test_error_at_once(self) -> None:
        """2 where none was."""
        status, output, errors = self.speak("-bS", "RCPT TO:<a@b>\n")

        self.assertEqual((2, ""), (status, output))
        self.assertIn("503", errors)


class DialogueTests(SMTPInputCase):
    """``-bs``."""

    def test_dialogue(self) -> None:
        """A program has its replies; an untrusted one's sender would be its own."""
        message = MESSAGE.format("a@b.test", 1).replace("<user>", "<user@ours.test>")
        text = "EHLO x\r\n" + message.replace("\n", "\r\n")

        status, output, errors = self.speak(
            "-bs", text + "QUIT\r\n", "-oMa", "192.0.2.7"
        )

        self.assertEqual((0, ""), (status, errors))
        codes = re.findall(r"(?m)^(\d\d\d) ", output)
        self.assertEqual(["220", "250", "250", "250", "354", "250", "221"], codes)
        self.assertRegex(
            self.log(), r" <= a@b\.test H=\(x\) \[192\.0\.2\.7\] .*P=esmtp "
        )

    def test_from_inetd(self) -> None:
        """Where standard input is a connection, its other end is the client."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), 30)
            connection, _ = listener.accept()
        with client, connection:
            process = subprocess.Popen(
                [sys.executable, *self.words("-bs")],
                stdin=connection,
                stdout=connection,
                stderr=subprocess.PIPE,
                env=environment(),
            )
            connection.close()
            lines = client.makefile("rb")
            self.assertEqual(b"220", lines.readline()[:3])
            for line, expected in (
                (b"HELO x", rb"250 .*\[127\.0\.0\.1\]"),
                (b"MAIL FROM:<a@b.test>", rb"250 "),
                (b"RCPT TO:<user@ours.test>", rb"250 "),
                (b"DATA", rb"354 "),
                (b"\r\nhi\r\n.", rb"250 "),
                (b"QUIT", rb"221 "),
            ):
                client.sendall(line + b"\r\n")
                self.assertRegex(lines.readline(), expected)
            self.assertEqual(b"", lines.read())
            self.assertEqual(b"", process.communicate(timeout=30)[1])

        self.assertEqual(0, process.returncode)
        self.assertRegex(self.log(), r" <= a@b\.test H=.*\[127\.0\.0\.1\] P=smtp ")
