"""What the tests of ``ratelimit`` share: hints in memory and a clock."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.address import parse_address
from mta.message import Message
from tests.acl.case import ACLCase
from tests.acl.memory_hints import MemoryHints


class RateCase(ACLCase):
    """An ACL run whose site remembers rates; ``hints.now`` is the time."""

    def setUp(self) -> None:
        super().setUp()
        self.hints = MemoryHints()
        self.site.hints = self.hints
        self.site.clock = lambda: self.hints.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.hints.now += seconds

    def reaches(self, limit: str, phase: Phase = Phase.RCPT) -> bool:
        """Return whether a limit is reached."""
        return self.is_true(f"ratelimit = {limit}", phase)

    def rate(self, limit: str, phase: Phase = Phase.RCPT) -> str:
        """Return the rate that a condition measures."""
        self.reaches(limit, phase)
        return self.run.context.values["sender_rate"]

    def next_message(self) -> None:
        """Let the client begin another message."""
        self.transaction.reset()
        self.transaction.message = Message(
            sender=parse_address("a@sender.example"), connection=self.connection
        )

    def next_connection(self, client: str = "192.0.2.7") -> None:
        """Let a client connect."""
        self.connection.peer_address = client
        self.transaction.reset()
        self.transaction.connection_rates = {}

    def fault(self, limit: str, phase: Phase = Phase.RCPT) -> str:
        """Return why a condition cannot be evaluated."""
        verdict = self.verdict(f"accept ratelimit = {limit}", phase)
        self.assertEqual("error", verdict.outcome.value)
        return verdict.log_message
