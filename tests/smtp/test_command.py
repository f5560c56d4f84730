"""The grammar of MAIL, RCPT and BDAT."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.command import (
    NO_EXTENSIONS,
    Chunk,
    CommandError,
    Extensions,
    parse_chunk,
    parse_mail,
    parse_recipient,
)
from mta.taint import is_tainted

EVERYTHING = NO_EXTENSIONS._replace(
    chunking=True, smtputf8=True, dsn=True, requiretls=True, mechanisms=("PLAIN",)
)


class MailTests(SynchronousTestCase):
    """MAIL."""

    def refusal(self, argument: bytes, extensions: Extensions = EVERYTHING) -> str:
        """Return what is said of a wrong argument."""
        error = self.assertRaises(CommandError, parse_mail, argument, extensions)
        self.assertEqual(501, error.reply_code)
        return str(error)

    def test_paths(self) -> None:
        """Reverse-paths in all their forms."""
        for argument, sender in (
            (b"FROM:<>", ""),
            (b"FROM:<a@b.example>", "a@b.example"),
            (b"from: <a@b.example>", "a@b.example"),
            (b"FROM :<a@b.example>", "a@b.example"),
            (b"FROM:a@b.example", "a@b.example"),
            (b'FROM:<"a b"@b.example>', '"a b"@b.example'),
            (b'FROM:<"a>b"@b.example> SIZE=1', '"a>b"@b.example'),
            (b'FROM:<"a\\">b"@b.example>', '"a\\">b"@b.example'),
            (b"FROM:<@x.example,@y.example:a@b.example>", "a@b.example"),
        ):
            mail = parse_mail(argument, NO_EXTENSIONS)

            self.assertEqual(sender, mail.sender.text, argument)

    def test_taint(self) -> None:
        """All that the client said is tainted."""
        mail = parse_mail(b"FROM:<a@b.example> ENVID=x AUTH=c RET=FULL", EVERYTHING)

        for text in (*mail.sender, mail.text, mail.envelope_id):
            self.assertTrue(is_tainted(text), text)
        self.assertTrue(is_tainted(mail.authenticated_sender or ""))

    def test_parameters(self) -> None:
        """Parameters in any order and case."""
        mail = parse_mail(
            b"FROM:<a@b.example> body=8bitmime  SIZE=99 smtputf8 ret=hdrs "
            b"ENVID=a+2Bb AUTH=x+40y.example requireTLS",
            EVERYTHING,
        )

        self.assertEqual(99, mail.size)
        self.assertEqual("8BITMIME", mail.body_type)
        self.assertTrue(mail.smtputf8)
        self.assertTrue(mail.requiretls)
        self.assertEqual("HDRS", mail.dsn_return)
        self.assertEqual("a+2Bb", mail.envelope_id)
        self.assertEqual("x@y.example", mail.authenticated_sender)

    def test_not_offered(self) -> None:
        """A parameter whose extension was not offered is unknown."""
        nothing = NO_EXTENSIONS._replace(eight_bit=False)
        for parameter in (
            b"SMTPUTF8", b"BODY=7BIT", b"RET=FULL", b"ENVID=x", b"AUTH=<>",
            b"REQUIRETLS",
        ):  # fmt: skip
            text = self.refusal(b"FROM:<a@b.example> " + parameter, nothing)

            self.assertIn(f"{parameter.decode()} may not follow <a@b.example>", text)

    def test_wrong(self) -> None:
        """What breaks the grammar is refused, with what is wrong about it."""
        for argument, text in (
            (b"", "must have an address operand"),
            (b"FROM", "must have an address operand"),
            (b"TO:<a@b.example>", "must have an address operand"),
            (b"FROM:<a@b.example", "missing > at the end"),
            (b"FROM:<a@b.example>x", "may not follow"),
            (b"FROM:<a@b.example> SIZE=-1", "may not follow"),
            (b"FROM:<a@b.example> SIZE=" + b"9" * 21, "may not follow"),
            (b"FROM:<a@b.example> SIZE", "may not follow"),
            (b"FROM:<a@b.example> SMTPUTF8=1", "may not follow"),
            (b"FROM:<a@b.example> REQUIRETLS=yes", "may not follow"),
            (b"FROM:<a@b.example> ENVID=+0D", "Invalid value for ENVID"),
            (b"FROM:<a@b.example> ENVID=+4", "Invalid value for ENVID"),
            (b"FROM:<a@b.example> ENVID=" + b"x" * 501, "Invalid value for ENVID"),
            (b"FROM:<a@b.example> AUTH=", "Invalid value for AUTH"),
            (b"FROM:<a@[192.0.2.1]>", "<a@[192.0.2.1]>"),
            (b"FROM:<\xff@b.example> SMTPUTF8", "UTF-8"),
            (b"FROM:<\xc3\xa4@b.example>", "SMTPUTF8"),
            (b"FROM:<a@b..example>", "a@b..example"),
        ):
            error = self.assertRaises(
                CommandError, parse_mail, argument, EVERYTHING, allow_literal=False
            )
            self.assertIn(text, str(error))

    def test_literal(self) -> None:
        """Domain literals are addresses where they are allowed."""
        mail = parse_mail(b"FROM:<a@[192.0.2.1]>", NO_EXTENSIONS)

        self.assertEqual("[192.0.2.1]", mail.sender.domain)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=60))
    def test_any(self, octets: bytes) -> None:
        """Whatever comes is understood or refused, and never has a control in it."""
        for argument in (octets, b"FROM:" + octets, b"FROM:<a@b.example> " + octets):
            try:
                mail = parse_mail(argument, EVERYTHING)
            except CommandError:
                continue
            for text in (mail.sender.domain, mail.envelope_id, mail.dsn_return):
                self.assertFalse(any(ord(c) < 32 for c in text), argument)


class RecipientTests(SynchronousTestCase):
    """RCPT."""

    def test_parameters(self) -> None:
        """NOTIFY and ORCPT are kept as they were given."""
        recipient = parse_recipient(
            b"TO:<a@b.example> NOTIFY=delay,FAILURE,delay ORCPT=rfc822;x+40y",
            EVERYTHING,
        )

        self.assertEqual(("DELAY", "FAILURE"), recipient.notify)
        self.assertEqual("rfc822;x+40y", recipient.original)

    def test_wrong(self) -> None:
        """What breaks the grammar is refused."""
        for argument in (
            b"TO:<>",
            b"FROM:<a@b.example>",
            b"TO:<a@b.example> NOTIFY=",
            b"TO:<a@b.example> NOTIFY=NEVER,DELAY",
            b"TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER",
            b"TO:<a@b.example> NOTIFY=SOMETIMES",
            b"TO:<a@b.example> ORCPT=x",
            b"TO:<a@b.example> ORCPT=;x",
            b"TO:<a@b.example> ORCPT=rfc822;",
            b"TO:<a@b.example> ORCPT=rfc822;+0A",
            b"TO:<a@b.example> SIZE=1",
            b"TO:<a@b.example> ORCPT=rfc822;x ORCPT=rfc822;x",
        ):
            self.assertRaises(CommandError, parse_recipient, argument, EVERYTHING)

    def test_without_dsn(self) -> None:
        """Without DSN no parameter is known."""
        self.assertRaises(
            CommandError,
            parse_recipient,
            b"TO:<a@b.example> NOTIFY=NEVER",
            NO_EXTENSIONS,
        )

    def test_utf8(self) -> None:
        """An address beyond ASCII needs the message's SMTPUTF8."""
        argument = "TO:<ä@b.example>".encode()

        recipient = parse_recipient(argument, EVERYTHING, smtputf8=True)

        self.assertEqual("ä@b.example", recipient.address.text)
        self.assertRaises(CommandError, parse_recipient, argument, EVERYTHING)


class ChunkTests(SynchronousTestCase):
    """BDAT."""

    def test_sizes(self) -> None:
        """A size, and perhaps LAST."""
        self.assertEqual(Chunk(10, False), parse_chunk(b"10"))
        self.assertEqual(Chunk(0, True), parse_chunk(b"0 last"))

    def test_wrong(self) -> None:
        """Everything else is refused."""
        for argument, code in (
            (b"", 501),
            (b"x", 501),
            (b"-1", 501),
            (b"+1", 501),
            (b"1 FIRST", 501),
            (b"1 LAST x", 501),
            (b"1" * 19, 501),
            (b"\xb2", 501),
            (b"0", 504),
        ):
            error = self.assertRaises(CommandError, parse_chunk, argument)
            self.assertEqual(code, error.reply_code, argument)
