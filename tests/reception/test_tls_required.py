"""What a message says of TLS: REQUIRETLS, and TLS-Required: No (RFC 8689)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.message import HeaderSection, Message
from mta.reception.tls_required import asks_for_no_tls
from mta.spool.record import decode, encode
from tests.reception.serving import PretendedTLS, Server


class TaggingTests(SynchronousTestCase):
    """What is kept of a message that comes by SMTP."""

    def received(
        self, parameter: str, *fields: str, acl: str = "", sender: str = "a@b.example"
    ) -> Message:
        """Return what the spool holds of a message sent inside TLS."""
        options = "acl_smtp_data = check_data" if acl else ""
        server = Server(
            options, f"check_data:\n{acl}" if acl else "", tls=PretendedTLS()
        )
        client = server.connect().hello()
        client.replies("STARTTLS")
        client.protocol.handshakeCompleted()
        client.hello()
        replies = client.replies(
            f"MAIL FROM:<{sender}>{parameter}",
            "RCPT TO:<b@mx.example>",
            "DATA",
            "\r\n".join([*fields, "", "text", "."]),
        )
        self.assertIn("250 OK", replies[-1])
        [kept] = server.store.messages
        return decode(encode(kept))

    def test_required(self) -> None:
        """REQUIRETLS stays with the message, in the spool too."""
        self.assertTrue(self.received(" REQUIRETLS").requiretls)
        self.assertFalse(self.received("").requiretls)

    def test_report(self) -> None:
        """A report may ask for it like any other message."""
        self.assertTrue(self.received(" REQUIRETLS", sender="").requiretls)

    def test_optional(self) -> None:
        """So does TLS-Required: No."""
        self.assertTrue(self.received("", "TLS-Required: No").tls_optional)
        self.assertFalse(self.received("", "Subject: TLS-Required: No").tls_optional)

    def test_both(self) -> None:
        """REQUIRETLS has the last word (section 4.1)."""
        message = self.received(" REQUIRETLS", "TLS-Required: No")

        self.assertTrue(message.requiretls)
        self.assertFalse(message.tls_optional)

    def test_changed(self) -> None:
        """An ACL that takes the field away, or adds it, has its way."""
        removing = "  accept remove_header = TLS-Required"
        adding = "  accept add_header = TLS-Required: No"

        self.assertFalse(
            self.received("", "TLS-Required: No", acl=removing).tls_optional
        )
        self.assertTrue(self.received("", "Subject: x", acl=adding).tls_optional)


class FieldTests(SynchronousTestCase):
    """How the field is read."""

    def test_values(self) -> None:
        """Nothing but one No, with nothing around it, is a no."""
        for content, is_no in (
            (b"TLS-Required: No\r\n", True),
            (b"tls-required:no\r\n", True),
            (b"TLS-Required:\r\n NO\r\n", True),
            (b"TLS-Required: No \r\n", True),
            (b"TLS-Required: No (a newsletter)\r\n", False),
            (b"TLS-Required: N(x)o\r\n", False),
            (b"TLS-Required: Yes\r\n", False),
            (b"TLS-Required:\r\n", False),
            (b"TLS-Required: No way\r\n", False),
            (b"TLS-Required: (No\r\n", False),
            (b"TLS-Required: No)\r\n", False),
            (b"TLS-Required: \xff\x00\r\n", False),
            (b"TLS-Required: No\r\nTLS-Required: No\r\n", False),
            (b"X-TLS-Required: No\r\n", False),
            (b"Subject: tls-required\r\n", False),
            (b"", False),
        ):
            message = Message(header=HeaderSection(b"From: a@b.example\r\n" + content))

            self.assertIs(is_no, asks_for_no_tls(message), content)
