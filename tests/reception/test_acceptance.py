"""End of data: what is kept, and what is said where it cannot be."""

from __future__ import annotations

import errno
import os
import sqlite3
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.message import Message
from mta.reception.acceptance import MessageOptions
from mta.reception.space import DiskSpace
from mta.testing import PlainLanguage
from tests.reception.serving import Client, Server

ENVELOPE = ("MAIL FROM:<a@client.example>", "RCPT TO:<b@mx.example>")


def caused_by(cause: Exception) -> SpoolError:
    """Return the error of a spool that could not write."""
    error = SpoolError("cannot write to the spool")
    error.__cause__ = cause
    return error


class AcceptanceCase(SynchronousTestCase):
    """A client that sends one message."""

    def serve(self, options: str = "", acls: str = "") -> Client:
        """Return a client of a new server."""
        self.server = Server(options, acls)
        return self.server.connect().hello()

    def send(self, client: Client, *lines: str) -> str:
        """Send a message of some lines; return the last line of the reply."""
        return client.replies(*ENVELOPE, "DATA", "\r\n".join([*lines, "."]))[-1]


class FailureTests(AcceptanceCase):
    """The spool cannot keep a message."""

    def refused(self, failure: Exception) -> str:
        """Return the reply, where the spool fails so."""
        client = self.serve()
        self.server.store.failure = failure
        reply = self.send(client, "", "text")
        self.assertEqual([], self.server.store.messages)
        self.assertTrue(self.server.store.bodies[0].is_abandoned)
        self.assertEqual(1, len(self.server.panics))
        self.assertFalse([n for n in self.server.logs.lines if n.startswith("<=")])
        self.assertEqual(["250 OK"], client.replies("NOOP"))
        return reply

    def test_error(self) -> None:
        """The client is to come again; the panic log tells why."""
        reply = self.refused(caused_by(OSError(errno.EIO, "Input/output error")))

        self.assertEqual("451 Error while writing spool file", reply)
        self.assertEqual(["cannot write to the spool"], self.server.panics)

    def test_error_later(self) -> None:
        """So it is where the spool tells only after a while."""
        client = self.serve()
        kept: Deferred[None] = Deferred()

        async def add(message: Message) -> None:
            await kept

        self.patch(self.server.store, "add", add)
        self.assertEqual("", self.send(client, "", "text"))
        kept.errback(caused_by(OSError(errno.ENOSPC, "x")))
        self.assertEqual(
            b"452 Space shortage, please try later\r\n", client.transport.take()
        )
        self.assertEqual(["250 OK"], client.replies("NOOP"))

    def test_disk_full(self) -> None:
        """A full disk has a reply of its own, whoever found it."""
        for cause in (OSError(errno.ENOSPC, "x"), OSError(errno.EDQUOT, "x")):
            self.assertEqual(
                "452 Space shortage, please try later", self.refused(caused_by(cause))
            )

    def test_database_full(self) -> None:
        """So has a full database."""
        cause = sqlite3.OperationalError("database or disk is full")
        cause.sqlite_errorname = "SQLITE_FULL"

        self.assertEqual(
            "452 Space shortage, please try later", self.refused(caused_by(cause))
        )

    def test_slow_disk_fails(self) -> None:
        """A failure in the middle is told at the end; the rest is thrown away."""
        client = self.serve()
        client.replies(*ENVELOPE, "DATA")
        store = self.server.store
        store.is_behind = True
        store.pause = lambda: fail(SpoolError("disk gone"))  # type: ignore[method-assign]

        client.send(b"Subject: x\r\n\r\ntext\r\n")
        store.is_behind = False
        written = len(store.bodies[0].written)
        client.send(b"more text\r\n")

        self.assertEqual(["451 Error while writing spool file"], client.replies("."))
        self.assertEqual(["disk gone"], self.server.panics)
        self.assertEqual(written, len(store.bodies[0].written))
        self.assertEqual([], store.messages)

    def test_no_space(self) -> None:
        """Where there is no room MAIL is refused for now."""
        client = self.serve()
        full = SimpleNamespace(f_bavail=0, f_frsize=1, f_files=0, f_favail=0)
        self.patch(os, "statvfs", lambda directory: full)
        self.server.acceptance._space = DiskSpace(
            "/spool",
            "",
            options=MessageOptions.with_texts({}, language=PlainLanguage()),
            logs=self.server.logs,
            clock=self.server.now,
        )

        self.assertEqual(
            ["452 Space shortage, please try later"], client.replies(ENVELOPE[0])
        )

    def test_delivery_cannot_start(self) -> None:
        """The message is safe: the client is told so whatever comes after."""
        client = self.serve()

        def broken(message: Message) -> None:
            raise ZeroDivisionError("what?")

        self.server.acceptance.accepted = broken

        self.assertEqual(
            "250 OK id=1r2d3a-00000000000-0001", self.send(client, "", "text")
        )
        self.assertIn("ZeroDivisionError: what?", self.server.panics[0])

    def test_received_text(self) -> None:
        """A Received: field that cannot be made refuses for now."""
        client = self.serve(
            "received_header_text = Received: ${lookup{x}lsearch{/gone}}"
        )

        reply = self.send(client, "", "text")

        self.assertEqual("451 Temporary local problem - please try later", reply)
        self.assertIn("cannot make the Received:", self.server.panics[0])


class KeepingTests(AcceptanceCase):
    """What is kept."""

    def test_handed_over(self) -> None:
        """The message is handed on once it is safe, not before."""
        client = self.serve()
        handed: list[Message] = []
        self.server.acceptance.accepted = handed.append
        self.server.store.delay = 3

        self.send_only(client)
        before = list(handed)
        self.server.clock.advance(3)

        self.assertEqual([], before)
        self.assertEqual(self.server.store.messages, handed)

    def send_only(self, client: Client) -> None:
        """Send a message; read no reply."""
        client.replies(*ENVELOPE, "DATA")
        client.send(b"\r\ntext\r\n.\r\n")

    def test_as_it_was(self) -> None:
        """What a later message changes of the session does not touch an earlier one."""
        client = self.serve()
        self.send(client, "", "text")

        client.replies("EHLO other.example")
        self.send(client, "", "text")

        self.assertEqual(
            ["client.example", "other.example"],
            [m.connection.helo_name for m in self.server.store.messages],
        )

    def test_frozen(self) -> None:
        """An ACL may freeze a message."""
        client = self.serve(
            "acl_smtp_data = check_data", "check_data:\n  accept control = freeze"
        )

        self.send(client, "", "text")

        message = self.server.store.messages[0]
        self.assertTrue(message.frozen)
        self.assertEqual(self.server.now(), message.frozen_at)

    def test_queued(self) -> None:
        """Or leave it to a queue run; so may a caller's option."""
        client = self.serve(
            "acl_smtp_data = check_data", "check_data:\n  accept control = queue"
        )
        self.send(client, "", "text")
        self.assertTrue(self.server.store.messages[0].queue_only)

        client = self.serve()
        self.server.acceptance.queue_only = True
        self.send(client, "", "text")
        self.assertTrue(self.server.store.messages[0].queue_only)

    def test_submission(self) -> None:
        """With control = submission a message from a client is completed."""
        client = self.serve(
            "acl_smtp_mail = check_mail", "check_mail:\n  accept control = submission"
        )

        self.send(client, "Subject: x", "", "text")

        names = [f.name for f in self.server.store.messages[0].header.fields]
        self.assertEqual(["Received", "Subject", "Message-Id", "From", "Date"], names)
        self.assertNotIn("id=", self.server.logs.lines[-1])

    def test_relayed(self) -> None:
        """Other messages are not."""
        client = self.serve()

        self.send(client, "Subject: x", "", "text")

        names = [f.name for f in self.server.store.messages[0].header.fields]
        self.assertEqual(["Received", "Subject"], names)

    def test_measures(self) -> None:
        """Size, lines and the longest line are known."""
        client = self.serve()

        self.send(client, "Subject: x", "", "text", "longer text")

        message = self.server.store.messages[0]
        self.assertEqual(2, message.line_count)
        self.assertEqual(11, message.max_line_length)
        self.assertEqual(
            len(message.header.content) + 2 + len(b"text\r\nlonger text\r\n"),
            message.size,
        )


class RefusalTests(AcceptanceCase):
    """Messages that cannot be meant."""

    def test_loop(self) -> None:
        """As many Received: fields as received_headers_max, with ours, are allowed."""
        client = self.serve("received_headers_max = 2")

        self.assertStartsWith(self.send(client, "Received: a", ""), "250 ")
        self.assertEqual(
            '550 Too many "Received" headers - suspected mail loop',
            self.send(client, "Received: a", "rECEIVED: b", ""),
        )
        self.assertEqual(1, len(self.server.store.messages))
        self.assertIn("Envelope-to: <b@mx.example>", self.server.logs.details[-1])

    def assertStartsWith(self, text: str, start: str) -> None:
        """Fail unless the text begins so."""
        self.assertEqual(start, text[: len(start)])

    def test_long_field(self) -> None:
        """A field longer than header_line_maxsize is too long, however it is folded."""
        client = self.serve("header_line_maxsize = 20")

        self.assertStartsWith(self.send(client, "A: 45678901234567890", ""), "552 ")
        self.assertStartsWith(self.send(client, "A: 4567", " 89012345678", ""), "552 ")
        self.assertStartsWith(self.send(client, "A: 456789", "B: 45678", ""), "250 ")

    def test_words_in_body(self) -> None:
        """What a body says of Received: does not count."""
        client = self.serve("received_headers_max = 2")

        reply = self.send(client, "", *["Received: x"] * 40)

        self.assertStartsWith(reply, "250 ")
