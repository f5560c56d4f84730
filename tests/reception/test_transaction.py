"""What is known of a client and its message."""

from __future__ import annotations

from mta.message import Message
from mta.taint import Tainted
from tests.acl.case import ACLCase


class TransactionTests(ACLCase):
    """A client and its messages, one after another."""

    def test_context(self) -> None:
        """Expansions see connection, message and the recipient in hand."""
        context = self.transaction.context(self.recipient)

        self.assertIs(self.connection, context.connection)
        self.assertIs(self.transaction.message, context.message)
        self.assertIs(self.recipient, context.address)
        self.assertIs(self.site, context.site)

    def test_values_last_as_long_as_the_message(self) -> None:
        """What a condition leaves is seen by the next ACL, but not the next message."""
        self.transaction.context().values["sender_data"] = "x"
        self.assertEqual("x", self.transaction.context().values["sender_data"])

        self.transaction.reset()
        self.assertEqual({}, self.transaction.context().values)

    def test_reset(self) -> None:
        """Nothing of one message is left to the next."""
        transaction = self.transaction
        self.verdict(
            "warn set acl_m1 = x\nset acl_c1 = y\nadd_header = A: b\n"
            "log_message = odd\nverify = recipient"
        )
        transaction.is_discarded = True

        transaction.reset()

        self.assertIsNone(transaction.message)
        self.assertIsNone(transaction.context().message)
        self.assertFalse(transaction.is_discarded or transaction.header_changes)
        self.assertEqual(({}, set()), (transaction.verifications, transaction.warnings))
        self.assertEqual({"c1": "y"}, self.connection.acl_variables)

    def test_no_message(self) -> None:
        """Before MAIL there is none, and a stand-in holds variables."""
        self.transaction.message = None
        stand_in = self.transaction.early_message()
        stand_in.acl_variables["m1"] = Tainted("x")

        self.assertIs(stand_in, self.transaction.early_message())
        self.assertIs(stand_in, self.transaction.context().message)

        message = self.transaction.message = Message()
        self.assertIs(message, self.transaction.early_message())
