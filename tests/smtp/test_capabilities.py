"""What a server offers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.capabilities import NOTHING, parse_capabilities
from mta.smtp.reply import Reply


class CapabilitiesTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Keywords are known whatever their case, parameters are read."""
        found = parse_capabilities(
            Reply(
                250,
                (
                    "host says SIZE 5",
                    "pipelining",
                    "SIZE 1000",
                    "AUTH PLAIN LOGIN",
                    "AUTH=LOGIN CRAM-MD5",
                    "LIMITS MAILMAX=10 RCPTMAX=20 RCPTDOMAINMAX=1",
                    "",
                ),
            )
        )

        self.assertIn("PIPELINING", found)
        self.assertEqual(found.size, 1000)
        self.assertEqual(found.auth, ("PLAIN", "LOGIN", "CRAM-MD5"))
        self.assertEqual(
            (found.mail_limit, found.recipient_limit, found.domain_limit), (10, 20, 1)
        )

    def test_name(self) -> None:
        """The name of the server is known, if it can be shown; not all of a long one."""
        for line, name in (
            ("mx.example Hello", "mx.example"),
            ("", ""),
            ("\x1b[2J x", ""),
            ("x" * 500, "x" * 255),
        ):
            self.assertEqual(parse_capabilities(Reply(250, (line,))).name, name)

    def test_nonsense(self) -> None:
        """Parameters that are no numbers are as if not given."""
        found = parse_capabilities(
            Reply(250, ("h", "SIZE x", "LIMITS RCPTMAX=-1 MAILMAX", "SIZE"))
        )

        self.assertEqual(
            (found.size, found.recipient_limit, found.mail_limit), (0, 0, 0)
        )

    def test_nothing(self) -> None:
        """A server that knows only HELO offers nothing."""
        self.assertNotIn("SIZE", NOTHING)
        self.assertFalse(NOTHING.esmtp)
