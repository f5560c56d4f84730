"""What callouts ask apart from the address: random local parts, the postmaster."""

from __future__ import annotations

from mta.address import Address
from tests.delivery.calling_out import LATER, UNKNOWN, CalloutCase

HELLO = "EHLO mx.example"
NULL = "MAIL FROM:<>"
JOE = "RCPT TO:<joe@d.example>"


class RandomTests(CalloutCase):
    """A local part that cannot be there."""

    RANDOM = "RCPT TO:<mx.example-86400-testing@d.example>"

    def test_accepted(self) -> None:
        """Who accepts it is not asked more, nor asked again."""
        self.assertEqual(("ok", "random"), self.outcome(random=True))
        self.assertEqual([HELLO, NULL, self.RANDOM, "QUIT"], self.a.commands)

        self.assertEqual(("ok", "random"), self.outcome("x@d.example", random=True))
        self.assertEqual(1, self.a.connections)

    def test_refused(self) -> None:
        """Who refuses it is asked about the address, in a new transaction."""
        self.a.replies[self.RANDOM] = UNKNOWN

        self.assertEqual(("ok", ""), self.outcome(random=True))
        self.assertEqual(
            [HELLO, NULL, self.RANDOM, "RSET", NULL, JOE, "QUIT"], self.a.commands
        )
        self.a.commands.clear()
        self.outcome("x@d.example", random=True)
        self.assertNotIn(self.RANDOM, self.a.commands)

    def test_not_now(self) -> None:
        """4xx says nothing, and keeps nothing."""
        self.a.replies[self.RANDOM] = LATER

        self.assertEqual(("ok", ""), self.outcome(random=True))
        self.assertEqual(1, len(self.hints.values))

    def test_spoiled(self) -> None:
        """Who takes offence is asked on a new connection."""
        for verb, reply in (("RSET", LATER), ("RSET", None), (self.RANDOM, None)):
            with self.subTest(verb, reply=reply):
                self.hints.values.clear()
                self.a.replies = {self.RANDOM: UNKNOWN, verb: reply}
                before = self.a.connections

                self.assertEqual(("ok", ""), self.outcome(random=True))
                self.assertEqual(before + 2, self.a.connections)

    def test_own_local_part(self) -> None:
        """The local part can be chosen."""
        self.set_up(callout_random_local_part="nobody-$domain")

        self.verify(random=True)

        self.assertIn("RCPT TO:<nobody-d.example@d.example>", self.a.commands)

    def test_no_expansion(self) -> None:
        """A local part that cannot be told leaves a doubt."""
        self.set_up(callout_random_local_part="${lookup{x}lsearch{/no/such/file}}")

        self.assertEqual(("defer", ""), self.outcome(random=True))

    def test_nothing_to_ask(self) -> None:
        """An empty local part is none to ask for."""
        self.set_up(callout_random_local_part="${if eq{1}{2}{x}}")

        self.assertEqual(("ok", ""), self.outcome(random=True))
        self.assertEqual(JOE, self.a.commands[2])


class PostmasterTests(CalloutCase):
    """The domain's postmaster."""

    FULL = "RCPT TO:<postmaster@d.example>"
    SHORT = "RCPT TO:<postmaster>"

    def test_accepted(self) -> None:
        """It is asked for behind the address, from its own sender, and once."""
        sender = Address("tester", "example.org")

        self.assertEqual(
            ("ok", ""), self.outcome(postmaster=True, postmaster_sender=sender)
        )
        mail = "MAIL FROM:<tester@example.org>"
        self.assertEqual(
            [HELLO, NULL, JOE, "RSET", mail, self.FULL, "QUIT"], self.a.commands
        )
        self.a.commands.clear()
        self.assertEqual(("ok", ""), self.outcome("x@d.example", postmaster=True))
        self.assertNotIn(self.FULL, self.a.commands)

    def test_refused(self) -> None:
        """A domain without one fails, and does so again without a connection."""
        self.a.replies[self.FULL] = UNKNOWN

        self.assertEqual(("fail", "postmaster"), self.outcome(postmaster=True))
        self.assertEqual(
            ("fail", "postmaster"), self.outcome("x@d.example", postmaster=True)
        )
        self.assertEqual(1, self.a.connections)
        self.assertEqual(("ok", ""), self.outcome("y@d.example"))

    def test_full(self) -> None:
        """The name alone is as good, where that is asked for."""
        self.a.replies[self.FULL] = UNKNOWN

        self.assertEqual(("ok", ""), self.outcome(full_postmaster=True))
        self.assertEqual(self.SHORT, self.a.commands[-2])

    def test_not_now(self) -> None:
        """Doubts about it are doubts about the address."""
        self.a.replies[self.FULL] = LATER
        self.b.replies["RSET"] = LATER

        self.assertEqual(("defer", ""), self.outcome(postmaster=True))

    def test_known_address(self) -> None:
        """An address that is known does not save the question."""
        self.verify()

        self.assertEqual(("ok", ""), self.outcome(postmaster=True))
        self.assertIn(self.FULL, self.a.commands)
