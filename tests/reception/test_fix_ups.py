"""What submitted messages get, and what all lose."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.effects import Submission
from mta.address import NULL_PATH, parse_address
from mta.connection import Connection
from mta.expand.context import Context, Site
from mta.message import HeaderSection, Message
from mta.reception.fix_ups import FixUpOptions, FixUps, Originator
from mta.taint import Tainted
from mta.testing import PlainLanguage, result_of

DATE = "Wed, 01 Jan 2020 00:00:00 +0000"
CALLER = Originator("alice", "Alice Smith")


class FixUpCase(SynchronousTestCase):
    """A message of alice's with a few fields."""

    def completed(
        self,
        header: str,
        *,
        originator: Originator | None = CALLER,
        submission: Submission | None = None,
        sender: str = "alice@mx.example",
        user: str = "",
        **options: str,
    ) -> list[str]:
        """Return the fields of a message that was completed."""
        self.message = Message(
            message_id="1r2d3a-00000000001-0001",
            sender=parse_address(Tainted(sender)) if sender else NULL_PATH,
            header=HeaderSection(header.replace("\n", "\r\n").encode()),
            connection=Connection(authenticated_id=user),
        )
        fix_ups = FixUps(
            FixUpOptions.with_texts(options, language=PlainLanguage()),
            qualify_domain="mx.example",
            primary_hostname="host.mx.example",
            date=lambda moment: DATE,
        )
        context = Context(Site(), self.message.connection, self.message)
        self.has_id = result_of(
            fix_ups.complete(
                self.message,
                context,
                submission=submission,
                originator=originator,
                now=0.0,
            )
        )
        text = self.message.header.content.decode()
        self.assertTrue(text.endswith("\r\n"))
        return text[:-2].replace("\r\n ", "\n ").split("\r\n")


class AdditionTests(FixUpCase):
    """Fields that are missing."""

    def test_all(self) -> None:
        """A message without any gets Message-Id:, From: and Date:."""
        fields = self.completed("Subject: x\n")

        self.assertEqual(
            [
                "Subject: x",
                "Message-Id: <E1r2d3a-00000000001-0001@host.mx.example>",
                "From: Alice Smith <alice@mx.example>",
                f"Date: {DATE}",
            ],
            fields,
        )
        self.assertTrue(self.has_id)

    def test_none(self) -> None:
        """What is there stays as it is."""
        header = "From: alice@mx.example\nDATE: today\nmessage-ID: <x@y>\n"

        fields = self.completed(header)

        self.assertEqual(header.strip().split("\n"), fields)
        self.assertFalse(self.has_id)

    def test_resent(self) -> None:
        """A message that was sent anew gets the fields of that."""
        fields = self.completed(
            "Resent-To: b@mx.example\nFrom: c@mx.example\nDate: x\nMessage-Id: <a@b>\n"
        )

        added = [field for field in fields if field.startswith("Resent-")]
        self.assertEqual(
            ["Resent-Date", "Resent-From", "Resent-Message-Id", "Resent-To"],
            sorted(field.partition(":")[0] for field in added),
        )

    def test_message_id_options(self) -> None:
        """Text and domain of a Message-Id: can be set; what is unfit becomes -."""
        fields = self.completed(
            "From: a@b\n",
            message_id_header_text="some text",
            message_id_header_domain="my_domain.example",
        )

        self.assertIn(
            "Message-Id: <E1r2d3a-00000000001-0001.some-text@my-domain.example>",
            fields,
        )

    def test_name_that_needs_quotes(self) -> None:
        """A caller's name is quoted, or encoded, as it needs."""
        for name, written in (
            ('A. "Q" Smith', r'"A. \"Q\" Smith" <alice@mx.example>'),
            ("Ä", "=?utf-8?Q?=C3=84?= <alice@mx.example>"),
            ("", "alice@mx.example"),
            ("x\r\nBcc: y", '"xBcc: y" <alice@mx.example>'),
        ):
            fields = self.completed("", originator=Originator("alice", name))

            self.assertIn(f"From: {written}", fields)

    def test_null_sender(self) -> None:
        """From: names the caller where the sender is empty."""
        fields = self.completed("", sender="", originator=Originator("alice"))

        self.assertIn("From: alice@mx.example", fields)


class SenderTests(FixUpCase):
    """Whether From: is the truth."""

    def test_another(self) -> None:
        """Who writes as another is named in Sender:."""
        fields = self.completed("From: bob@mx.example\nSender: <carol@mx.example>\n")

        self.assertIn("Sender: Alice Smith <alice@mx.example>", fields)
        self.assertNotIn("Sender: <carol@mx.example>", fields)

    def test_himself(self) -> None:
        """Who writes as himself is not."""
        for author in (
            "alice@mx.example",
            "ALICE@MX.example",
            "Alice <alice@mx.example>",
            "alice@mx.example (Alice)",
        ):
            fields = self.completed(f"From: {author}\n")

            self.assertEqual([], [f for f in fields if f.startswith("Sender")], author)

    def test_affixes(self) -> None:
        """local_from_prefix and local_from_suffix may stand around the name."""
        for author in ("x-alice@mx.example", "alice+news@mx.example"):
            fields = self.completed(
                f"From: {author}\n", local_from_prefix="*-", local_from_suffix="+*"
            )

            self.assertEqual([], [f for f in fields if f.startswith("Sender")], author)

    def test_trusted(self) -> None:
        """A trusted caller may write as anybody."""
        trusted = Originator("alice", is_trusted=True)

        fields = self.completed(
            "From: bob@x.example\nSender: carol@x.example\n", originator=trusted
        )

        self.assertEqual(
            ["Sender: carol@x.example"], [f for f in fields if f[:6] == "Sender"]
        )

    def test_no_check(self) -> None:
        """Without local_from_check nothing is added."""
        fields = self.completed("From: bob@x.example\n", local_from_check="false")

        self.assertEqual([], [f for f in fields if f.startswith("Sender")])

    def test_retained(self) -> None:
        """With local_sender_retain a Sender: stays."""
        fields = self.completed(
            "From: bob@x.example\nSender: carol@x.example\n",
            local_sender_retain="true",
            local_from_check="false",
        )

        self.assertIn("Sender: carol@x.example", fields)


class SubmissionTests(FixUpCase):
    """control = submission."""

    def submitted(self, header: str, submission: Submission, user: str) -> list[str]:
        """Return the fields of a message from an authenticated client."""
        return self.completed(
            header,
            originator=None,
            submission=submission,
            sender="bob@x.example",
            user=user,
        )

    def test_author(self) -> None:
        """The user who authenticated is the true sender, and becomes it."""
        fields = self.submitted("From: bob@x.example\n", Submission(), "alice")

        self.assertIn("Sender: alice@mx.example", fields)
        self.assertEqual("alice@mx.example", self.message.sender.text)

    def test_domain(self) -> None:
        """A domain can be given, and none: then the user's name is an address."""
        first = self.submitted(
            "From: bob@x.example\n", Submission(domain="y.example"), "alice"
        )
        second = self.submitted(
            "From: bob@x.example\n", Submission(domain=""), "alice@z.example"
        )

        self.assertIn("Sender: alice@y.example", first)
        self.assertIn("Sender: alice@z.example", second)

    def test_retain(self) -> None:
        """With sender_retain all of that stays as the client wrote it."""
        fields = self.submitted(
            "From: bob@x.example\nSender: carol@x.example\n",
            Submission(sender_retain=True),
            "alice",
        )

        self.assertIn("Sender: carol@x.example", fields)
        self.assertEqual("bob@x.example", self.message.sender.text)

    def test_not_authenticated(self) -> None:
        """Where nobody authenticated there is nobody to name."""
        fields = self.submitted("From: bob@x.example\n", Submission(), "")

        self.assertEqual([], [f for f in fields if f.startswith("Sender")])


class OptionTests(SynchronousTestCase):
    """Fields that only a final delivery adds."""

    def test_names(self) -> None:
        """Each option stands for one field."""
        options = FixUpOptions.with_texts(
            {"envelope_to_remove": "false"}, language=PlainLanguage()
        )

        self.assertEqual(("return-path", "delivery-date"), options.unwanted_fields)
