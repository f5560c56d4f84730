"""Conditions about sender and recipient."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.address import NULL_PATH
from mta.taint import is_tainted
from tests.acl.case import ACLCase


class RecipientTests(ACLCase):
    """domains, local_parts, recipients: of Bob@Example.com."""

    def test_domains(self) -> None:
        """The domain is compared without regard to case, named lists too."""
        self.assertTrue(self.is_true("domains = EXAMPLE.com"))
        self.assertTrue(self.is_true("domains = +ours"))
        self.assertFalse(self.is_true("domains = !+ours"))
        self.assertFalse(self.is_true("domains ="))

    def test_domain_data(self) -> None:
        """What matched is left for expansions, and is not tainted."""
        self.is_true("domains = +ours")

        data = self.run.context.values["domain_data"]
        self.assertEqual("example.com", data)
        self.assertFalse(is_tainted(data))
        self.assertEqual("example.com", self.recipient.domain_data)

    def test_local_parts(self) -> None:
        """The local part is compared likewise."""
        self.assertTrue(self.is_true("local_parts = alice : bob"))
        self.assertFalse(self.is_true("local_parts = alice"))
        self.assertTrue(self.is_true("local_parts = ^b"))
        self.assertEqual("bob", self.recipient.local_part)

    def test_local_part_data(self) -> None:
        """What matched is left for expansions, and is not tainted."""
        self.is_true("local_parts = alice : bob")

        self.assertEqual("bob", self.recipient.local_part_data)
        self.assertFalse(is_tainted(self.run.context.values["local_part_data"]))

    def test_captures(self) -> None:
        """What a pattern caught is left as numeric variables."""
        self.is_true("local_parts = ^(.)o(.)")

        self.assertEqual(("b", "b"), self.run.context.captures[-2:])

    def test_recipients(self) -> None:
        """The whole address is looked for in an address list."""
        self.assertTrue(self.is_true("recipients = bob@example.com"))
        self.assertTrue(self.is_true("recipients = *@example.com"))
        self.assertFalse(self.is_true("recipients = bob@example.org"))

    def test_other_phases(self) -> None:
        """After DATA there is no single recipient."""
        for condition in ("domains", "local_parts", "recipients"):
            self.assertEqual(
                "error", self.outcome(f"accept {condition} = *", Phase.DATA)
            )


class SenderTests(ACLCase):
    """senders, sender_domains: of a@sender.example."""

    def test_senders(self) -> None:
        """The sender is looked for in an address list."""
        self.assertTrue(self.is_true("senders = a@sender.example"))
        self.assertFalse(self.is_true("senders = :"))
        self.assertEqual("accept", self.outcome("accept senders = *", Phase.DATA))

    def test_bounce(self) -> None:
        """An empty item is the null reverse-path."""
        self.transaction.early_message().sender = NULL_PATH

        self.assertTrue(self.is_true("senders = :"))
        self.assertFalse(self.is_true("senders = *@sender.example"))
        self.assertFalse(self.is_true("sender_domains = sender.example"))

    def test_sender_domains(self) -> None:
        """Its domain is looked for in a domain list."""
        self.assertTrue(self.is_true("sender_domains = sender.example"))
        self.assertFalse(self.is_true("sender_domains = +ours"))

    def test_too_early(self) -> None:
        """At EHLO there is no sender."""
        for condition in ("senders", "sender_domains"):
            self.assertEqual(
                "error", self.outcome(f"accept {condition} = *", Phase.HELO)
            )
