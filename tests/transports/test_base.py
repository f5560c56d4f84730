"""Tests for what all transports share."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, parse_address
from mta.errors import PermanentFailure, TemporaryFailure
from mta.expand.context import Context, Site
from mta.message import Bytes, HeaderSection, Message, Recipient
from mta.recipient import RoutedAddress
from mta.testing import PlainLanguage, result_of
from mta.transports.base import Batch, Prepared, Transport, encode_fields, mail_date

HEADER = b"Subject: Hello\r\nX-One: 1\r\nX-Two: 2\r\n"


class Case(SynchronousTestCase):
    def transport(self, **texts: str) -> Transport:
        return Transport.with_texts(texts, language=PlainLanguage(), name="t")

    def batch(self, *recipients: str, **values: str) -> Batch:
        addresses = []
        for text in recipients or ("b@far.example",):
            parsed = parse_address(text)
            addresses.append(RoutedAddress(parsed, Recipient(parsed)))
        message = Message(header=HeaderSection(HEADER), body=Bytes(b"Body\r\n"))
        context = Context(Site(clock=lambda: 1_700_000_000.0), message=message)
        context.values = values
        return Batch(message, addresses, context, parse_address("s@example.org"))

    def prepare(self, batch: Batch, **texts: str) -> Prepared:
        return result_of(self.transport(**texts).prepare(batch))


class PrepareTests(Case):
    def test_unchanged(self) -> None:
        """Where nothing changes, the header section is the message's own octets."""
        batch = self.batch()

        prepared = self.prepare(batch)

        self.assertIs(prepared.header, batch.message.header.content)
        self.assertIs(prepared.body, batch.message.body)
        self.assertEqual(prepared.size, batch.message.size)
        self.assertEqual(b"".join(prepared.chunks()), HEADER + b"\r\nBody\r\n")

    def test_parts(self) -> None:
        """body_only and headers_only leave the other part out."""
        body = self.prepare(self.batch(), body_only="true")
        header = self.prepare(self.batch(), headers_only="true")

        self.assertEqual(b"".join(body.chunks()), b"Body\r\n")
        self.assertEqual(body.size, 6)
        self.assertEqual(b"".join(header.chunks()), HEADER + b"\r\n")

    def test_router_then_transport(self) -> None:
        """Removals come first; then the router's additions, then the transport's."""
        batch = self.batch(name="X-Ours")
        batch.addresses[0].headers_add = ["X-Router: yes"]
        batch.addresses[0].headers_remove = ["x-one"]

        prepared = self.prepare(
            batch, headers_add="$name: a\n b", headers_remove="X-T* : Nothing"
        )

        self.assertEqual(
            prepared.header,
            b"Subject: Hello\r\nX-Router: yes\r\nX-Ours: a\r\n b\r\n",
        )
        self.assertEqual(batch.message.header.content, HEADER)

    def test_trace_fields(self) -> None:
        """The fields that a final delivery adds stand at the top, in Exim's order."""
        prepared = self.prepare(
            self.batch("a@x.example", "b@x.example", "a@x.example"),
            return_path_add="true",
            envelope_to_add="true",
            delivery_date_add="true",
        )

        lines = prepared.header.removesuffix(HEADER).split(b"\r\n")
        self.assertEqual(
            lines[:3],
            [
                b"Return-path: <s@example.org>",
                b"Envelope-to: a@x.example,",
                b" b@x.example",
            ],
        )
        self.assertTrue(lines[3].startswith(b"Delivery-date: "))

    def test_encode_fields(self) -> None:
        """Added text cannot end the header section or add what is no field."""
        for text, octets in (
            ("X: a", b"X: a\r\n"),
            ("X: a\n\nBody", b"X: a\r\n"),
            ("X: a\r\n b\r\nY: c\n", b"X: a\r\n b\r\nY: c\r\n"),
            ("no field", b""),
            (" folded first", b""),
            ("X y: z", b""),
            ("X: \udce4", b"X: \xe4\r\n"),
        ):
            with self.subTest(text=text):
                self.assertEqual(encode_fields(text), octets)


class LimitTests(Case):
    def test_size(self) -> None:
        """A message beyond message_size_limit fails, in Exim's words."""
        batch = self.batch()
        size = batch.message.size
        check = self.transport(message_size_limit=str(size)).check_size
        result_of(check(batch.message, batch.context))

        check = self.transport(message_size_limit=str(size - 1)).check_size
        error = self.assertRaises(
            PermanentFailure, result_of, check(batch.message, batch.context)
        )

        self.assertEqual(
            error.text, f"message is too big (transport limit = {size - 1})"
        )


class AddressTests(Case):
    def return_path(self, text: str | None, **values: str) -> Any:
        batch = self.batch(**values)
        texts = {} if text is None else {"return_path": text}
        change = self.transport(**texts).new_return_path
        return result_of(change(batch.return_path, batch.context))

    def test_return_path(self) -> None:
        """return_path takes the reverse-path's place; <> is the null one."""
        self.assertEqual(self.return_path(None).text, "s@example.org")
        self.assertEqual(
            self.return_path("$who", who="v@x.example").text, "v@x.example"
        )
        self.assertEqual(self.return_path("<>"), NULL_PATH)
        self.assertRaises(TemporaryFailure, self.return_path, "a b@c")

    def test_affixes(self) -> None:
        """A RCPT command is without affixes, unless rcpt_include_affixes is set."""
        address = self.batch("list-bob-x@far.example").addresses[0]
        address.prefix, address.suffix = "list-", "-x"

        self.assertEqual(self.transport().recipient_text(address), "bob@far.example")
        kept = self.transport(rcpt_include_affixes="true").recipient_text(address)
        self.assertEqual(kept, "list-bob-x@far.example")

    def test_run_as(self) -> None:
        """user and group of the transport come before the router's."""
        batch = self.batch()
        batch.addresses[0].user, batch.addresses[0].group = "u", "g"

        self.assertEqual(result_of(self.transport().run_as(batch)), ("u", "g"))
        self.assertEqual(result_of(self.transport(user="x").run_as(batch)), ("x", None))
        self.assertEqual(result_of(self.transport(group="y").run_as(batch)), ("u", "y"))

    def test_directories(self) -> None:
        """Home and working directory likewise."""
        batch = self.batch()
        batch.addresses[0].home = "/home/b"

        self.assertEqual(
            result_of(self.transport().directories(batch)), ("/home/b", None)
        )
        changed = self.transport(home_directory="/h", current_directory="/c")
        self.assertEqual(result_of(changed.directories(batch)), ("/h", "/c"))


class DateTests(SynchronousTestCase):
    def test_form(self) -> None:
        """Dates have the form of RFC 5322."""
        self.assertRegex(
            mail_date(1_700_000_000.0),
            r"^(Tue|Wed), 1[45] Nov 2023 \d\d:\d\d:20 [+-]\d{4}$",
        )
