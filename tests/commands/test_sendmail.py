"""Messages on standard input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Any

from mta.message import Message
from mta.spool.desk import QueueDesk
from tests.commands.calling import STRANGER, CommandCase


class SubmissionCase(CommandCase):
    """Messages, and what becomes of them in the queue."""

    def message(self, message_id: str) -> Message:
        """Return a queued message."""
        return QueueDesk(os.path.join(self.directory, "spool", "queue")).load(
            message_id
        )

    def header(self, message_id: str) -> str:
        """Return the header section of a queued message, without its Received:."""
        text = self.message(message_id).header.content.decode()
        fields = text.replace("\r\n\t", " ").replace("\r\n ", " ").split("\r\n")
        return "\n".join(f for f in fields if not f.startswith("Received:"))

    def body(self, message_id: str) -> bytes:
        """Return the body of a queued message."""
        return b"".join(self.message(message_id).body.chunks())

    def recipients(self, message_id: str) -> list[str]:
        """Return the recipients of a queued message."""
        return [str(r.address) for r in self.message(message_id).recipients]


class ContentTests(SubmissionCase):
    """What is read."""

    def test_dot(self) -> None:
        """A lone dot ends the message, unless ``-i`` is given."""
        text = b"Subject: x\n\none\n.\ntwo\n"

        self.assertEqual(b"one\r\n", self.body(self.send("user", text=text)))
        whole = b"one\r\n.\r\ntwo\r\n"
        self.assertEqual(whole, self.body(self.send("-i", "user", text=text)))
        self.assertEqual(whole, self.body(self.send("-oi", "user", text=text)))

    def test_any_octets(self) -> None:
        """Octets of no known encoding go through as they are; bare CRs do not."""
        text = b"Subject: \xff\xfe\n\n\x80\x00\xff\rx\n"

        message_id = self.send("user", text=text)

        self.assertIn(b"Subject: \xff\xfe\r\n", self.message(message_id).header.content)
        self.assertEqual(b"\x80\x00\xff\r\nx\r\n", self.body(message_id))

    def test_no_input(self) -> None:
        """A message may be empty."""
        message_id = self.send("user", text=b"")

        self.assertEqual(b"", self.body(message_id))
        self.assertIn("From: ", self.header(message_id))

    def test_too_large(self) -> None:
        """What is larger than message_size_limit is refused, and not kept."""
        self.configure("message_size_limit = 1000")

        result = self.call("-odq", "-oep", "user", text=b"S: x\n\n" + b"x" * 2000)

        self.assertEqual(1, result.status)
        self.assertIn("maximum is 1000", result.errors)
        self.assertEqual([], self.queued())


class RecipientTests(SubmissionCase):
    """To whom it goes."""

    def test_arguments(self) -> None:
        """Arguments are addresses, several in one perhaps; each counts once."""
        message_id = self.send("user, Other <other@ours.test>", "user@ours.test")

        self.assertEqual(
            ["user@ours.test", "other@ours.test"], self.recipients(message_id)
        )

    def test_from_header(self) -> None:
        """With ``-t`` those of To, Cc and Bcc; Bcc goes, arguments are left out."""
        text = b"To: user, b@b.test\nCc: C <c@c.test>\nBcc: d@d.test\nSubject: x\n\n"

        message_id = self.send("-t", "b@b.test", text=text)

        self.assertEqual(
            ["user@ours.test", "c@c.test", "d@d.test"], self.recipients(message_id)
        )
        self.assertNotIn("Bcc", self.header(message_id))

    def test_arguments_added(self) -> None:
        """Where the option says so, arguments are added to those of ``-t``."""
        self.configure("extract_addresses_remove_arguments = false")

        message_id = self.send("-t", "b@b.test", text=b"To: user\n\n")

        self.assertEqual(["user@ours.test", "b@b.test"], self.recipients(message_id))


class ErrorTests(SubmissionCase):
    """Messages that cannot be taken, and how the caller learns of it."""

    CASES: Sequence[tuple[list[str], bytes, str]] = (
        (["-t"], b"Subject: x\n\n", "no recipient addresses"),
        (["a@@b"], b"Subject: x\n\n", "a@@b"),
        (["-t"], b"To: a@@b\n\n", "a@@b"),
    )

    def test_printed(self) -> None:
        """``-oep`` prints it on standard error, and the status is 1."""
        for words, text, expected in self.CASES:
            with self.subTest(words=words):
                result = self.call("-oep", "-odq", *words, text=text)

                self.assertEqual(1, result.status)
                self.assertIn(expected, result.errors)
        self.assertEqual([], self.queued())

    def test_mailed(self) -> None:
        """Else the sender gets a message, and the status is 1, or 0 with ``-oee``."""
        for words, text, expected in self.CASES:
            for option, status in (("-oem", 1), ("-oew", 1), ("-oee", 0), ("-oi", 1)):
                with self.subTest(words=words, option=option):
                    before = set(self.queued())
                    result = self.call(option, "-odq", "-f", "user", *words, text=text)

                    self.assertEqual((status, ""), (result.status, result.errors))
                    (report,) = set(self.queued()) - before
                    self.assertEqual(["user@ours.test"], self.recipients(report))
                    self.assertFalse(self.message(report).sender)
                    self.assertIn(expected, self.body(report).decode())

    def test_nobody_to_mail(self) -> None:
        """A message without a sender has nobody who could get the report."""
        result = self.call("-odq", "-f", "", "-t", text=b"Subject: x\n\n")

        self.assertEqual(1, result.status)
        self.assertIn("no recipient addresses", result.errors)

    def test_refused(self) -> None:
        """What acl_not_smtp refuses is told with its reason."""
        self.configure("acl_not_smtp = refuse_all")

        result = self.call("-odq", "-oep", "user", text=b"Subject: x\n\n")

        self.assertEqual(1, result.status)
        self.assertIn("not from here", result.errors)
        self.assertEqual([], self.queued())

    def test_bad_sender(self) -> None:
        """A sender that is no address is told, and nothing is read."""
        result = self.call("-odq", "-f", "a@@b", "user", text=b"Subject: x\n\n")

        self.assertEqual(1, result.status)
        self.assertIn("bad sender address", result.errors)

    def test_spool_of_somebody_else(self) -> None:
        """Who cannot write to the spool is told what to do, in one line."""
        self.patch(os, "access", lambda path, mode: False)

        for words in (["user"], ["-bs"], ["-bS"]):
            with self.subTest(words=words):
                result = self.call(*words, text=b"Subject: x\n\n")

                self.assertEqual(1, result.status)
                self.assertRegex(result.errors, r"\Amta: only \S+ may write .*\n\Z")

    def test_spool_that_is_none(self) -> None:
        """A spool that cannot be made is told in a line."""
        with open(os.path.join(self.directory, "spool"), "w", encoding="ascii"):
            pass

        result = self.call("-odq", "user", text=b"Subject: x\n\n")

        self.assertEqual(1, result.status)
        self.assertRegex(result.errors, r"\Amta: .*spool.*\n\Z")


class TrustTests(SubmissionCase):
    """Who may say what of the origin."""

    def test_trusted(self) -> None:
        """The spool's owner may name a sender; no Sender: tells who it was."""
        message_id = self.send("-f", "a@b.test", "user", text=b"From: z@z.test\n\n")

        self.assertEqual("a@b.test", str(self.message(message_id).sender))
        self.assertNotIn("Sender:", self.header(message_id))

    def test_untrusted(self) -> None:
        """Another caller sends as himself, and Sender: tells who From: hides."""
        self.become_stranger()

        message_id = self.send("-f", "a@b.test", "user", text=b"From: z@z.test\n\n")

        own = f"{STRANGER}@ours.test"
        self.assertEqual(own, str(self.message(message_id).sender))
        self.assertIn(f"Sender: {own}", self.header(message_id))

    def test_null_sender(self) -> None:
        """Everybody may say that no report is wanted."""
        self.become_stranger()

        for text in ("<>", ""):
            with self.subTest(text=text):
                message_id = self.send("-f", text, "user")
                self.assertFalse(self.message(message_id).sender)

    def test_untrusted_set_sender(self) -> None:
        """What untrusted_set_sender lists, and no other, everybody may say."""
        self.configure("untrusted_set_sender = *@b.test")
        self.become_stranger()

        listed = self.send("-f", "a@b.test", "user")
        other = self.send("-f", "a@c.test", "user")

        self.assertEqual("a@b.test", str(self.message(listed).sender))
        self.assertEqual(f"{STRANGER}@ours.test", str(self.message(other).sender))

    def test_trusted_users(self) -> None:
        """trusted_users and trusted_groups make callers trusted."""
        self.become_stranger()
        self.patch(os, "getgid", lambda: 77_777)

        for line in (f"trusted_users = x : {STRANGER}", "trusted_groups = 77777"):
            with self.subTest(line=line):
                self.configure(line)
                message_id = self.send("-f", "a@b.test", "user")
                self.assertEqual("a@b.test", str(self.message(message_id).sender))

    def test_origin(self) -> None:
        """Only trusted callers may fake an origin."""
        words = ("-oMa", "192.0.2.1.99", "-oMs", "h.test", "-oMr", "uucp", "user")

        connection = self.message(self.send(*words)).connection
        self.assertEqual(
            ("192.0.2.1", 99, "h.test", "uucp"),
            (
                connection.peer_address,
                connection.peer_port,
                connection.host_name,
                connection.protocol,
            ),
        )
        self.become_stranger()
        connection = self.message(self.send(*words)).connection
        self.assertEqual(("", "local"), (connection.peer_address, connection.protocol))

    def test_bad_origin(self) -> None:
        """An address that is none is refused."""
        result = self.call("-odq", "-oMa", "192.0.2", "user", text=b"Subject: x\n\n")

        self.assertEqual(1, result.status)
        self.assertIn("malformed IP address 192.0.2 after -oMa", result.errors)

    def test_full_name(self) -> None:
        """``-F`` is the name in a From: that the message lacks."""
        message_id = self.send("-F", "A. Name", "user")

        self.assertRegex(
            self.header(message_id), r'From: "?A\. Name"? <\S+@ours\.test>'
        )

    def test_no_fix_ups(self) -> None:
        """A trusted caller's ``-G`` leaves the header section as it is."""
        self.assertEqual("Subject: x\n", self.header(self.send("-G", "user")))
        self.become_stranger()
        self.assertIn("From: ", self.header(self.send("-G", "user")))

    def test_from_line(self) -> None:
        """A first line as in mailboxes may name a trusted caller's sender."""
        text = b"From a@b.test Thu Jan  1 00:00:00 2026\nSubject: x\n\n"

        message_id = self.send("user", text=text)

        self.assertEqual("a@b.test", str(self.message(message_id).sender))
        self.assertNotIn("From a@b", self.header(message_id))


class DeliveryTests(SubmissionCase):
    """When a message that was taken is delivered: by a process of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.started: list[tuple[list[str], dict[str, Any]]] = []

        def start(command: list[str], **how: Any) -> Any:
            self.started.append((command, how))
            return self

        self.patch(subprocess, "Popen", start)

    def wait(self) -> int:
        """Be the process, when it is waited for."""
        return 0

    def test_started(self) -> None:
        """Its options are the caller's; code is not taken from where he stands."""
        for option, detached in (("-odb", True), ("-odf", False), ("-odi", False)):
            with self.subTest(option=option):
                result = self.call("-v", option, "user", text=b"Subject: x\n\n")

                self.assertEqual(0, result.status)
                command, how = self.started.pop()
                self.assertEqual(
                    ["-P", "-m", "mta", "-C", self.configuration, "-v", "-Mc"],
                    command[1:-1],
                )
                self.assertIn(command[-1], self.queued())
                self.assertEqual(detached, how["start_new_session"])

    def test_not_started(self) -> None:
        """Not with ``-odq``, and not with queue_only."""
        self.send("user")
        self.configure("queue_only")
        self.assertEqual(0, self.call("user", text=b"Subject: x\n\n").status)

        self.assertEqual([], self.started)
        self.assertEqual(2, len(self.queued()))

    def test_shown(self) -> None:
        """``-v`` shows the log's lines on standard error."""
        read, write = os.pipe()
        before = os.dup(2)
        os.dup2(write, 2)
        try:
            self.call("-v", "-odq", "user", text=b"Subject: x\n\n")
        finally:
            os.dup2(before, 2)
            for number in (before, write):
                os.close(number)
        shown = os.read(read, 4096).decode()
        os.close(read)

        self.assertRegex(shown, r"LOG: MAIN: .* <= \S+ U=\S+ P=local")


class SimultaneousTests(SubmissionCase):
    """Several commands at once."""

    def test_ten_at_once(self) -> None:
        """Ten callers at the same moment each have their message taken, once."""
        self.send("user")
        children = [self.fork(number) for number in range(10)]

        statuses = [os.waitpid(child, 0)[1] for child in children]

        self.assertEqual([0] * 10, statuses)
        bodies = sorted(self.body(message_id) for message_id in self.queued())
        expected = [b"hi\r\n", *(b"number %d\r\n" % n for n in range(10))]
        self.assertEqual(sorted(expected), bodies)

    def fork(self, number: int) -> int:
        """Start a caller; return its process."""
        child = os.fork()
        if child:
            return child
        status = 99
        try:
            text = b"Subject: x\n\nnumber %d\n" % number
            status = self.call("-odq", "user", text=text).status
        finally:
            os._exit(status)
