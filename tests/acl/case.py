"""What the tests of ACLs share: a client, a message, and one call to judge them."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.evaluate import ACLs, run_acl
from mta.acl.registry import Phase
from mta.acl.run import ACLRun, ACLVerdict
from mta.acl.syntax import ACL, ACLLanguage
from mta.address import parse_address
from mta.connection import Connection
from mta.expand.context import Site
from mta.expand.option_types import ConstantTemplate
from mta.message import Message, Recipient
from mta.reception.transaction import Transaction
from mta.recipient import RoutedAddress
from mta.taint import Tainted
from mta.testing import (
    FakeResolver,
    FakeVerifier,
    MemoryLogs,
    PlainLanguage,
    result_of,
)

CLIENT = "192.0.2.7"


class ACLCase(SynchronousTestCase):
    """A client at 192.0.2.7 with a message from a@sender.example to b@example.com."""

    def setUp(self) -> None:
        self.logs = MemoryLogs()
        self.resolver = FakeResolver()
        self.verifier = FakeVerifier()
        self.slept: list[float] = []
        self.files: dict[str, str] = {}
        self.language = ACLLanguage.load(PlainLanguage())
        self.site = Site(
            primary_hostname="mx.example.com",
            named_lists={
                "domain": {"ours": ConstantTemplate("example.com : example.net")}
            },
            resolver=self.resolver,
            logs=self.logs,
        )
        self.connection = Connection(
            peer_address=CLIENT,
            peer_port=4711,
            local_address="198.51.100.1",
            local_port=25,
            host_name="",
        )
        self.transaction = Transaction(self.site, self.connection)
        self.transaction.message = Message(
            sender=parse_address(Tainted("a@sender.example")),
            connection=self.connection,
        )
        self.recipient = self.routed("Bob@Example.com")
        self.acls = ACLs({}, self.language, read=self._read)

    def _read(self, path: str) -> str:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[path]

    async def sleep(self, seconds: float) -> None:
        """Note how long an ACL wants to wait."""
        self.slept.append(seconds)

    def routed(self, text: str) -> RoutedAddress:
        """Return a recipient as policy hands it to an ACL."""
        address = parse_address(Tainted(text))
        return RoutedAddress(
            address,
            Recipient(address),
            local_part=address.local_part.lower(),
            domain=address.domain.lower(),
        )

    def parse(self, text: str, name: str = "test") -> ACL:
        """Return the ACL of a text."""
        return self.language.parse_text(name, text, "/mta.conf")

    def new_run(self, phase: Phase = Phase.RCPT) -> ACLRun:
        """Return what an ACL is evaluated with."""
        return ACLRun(
            phase,
            self.transaction,
            self.transaction.context(self.recipient),
            self.acls,
            self.logs,
            self.verifier,
            self.sleep,
            self.recipient,
        )

    def verdict(
        self,
        text: str,
        phase: Phase = Phase.RCPT,
        *,
        named: Mapping[str, str] = {},
        values: Mapping[str, str] = {},
    ) -> ACLVerdict:
        """Return what an ACL says; ``named`` are others that it can call."""
        self.acls.named = {name: self.parse(acl, name) for name, acl in named.items()}
        self.run = self.new_run(phase)
        self.run.context.values.update(values)
        return result_of(run_acl(self.parse(text), self.run))

    def outcome(self, text: str, phase: Phase = Phase.RCPT) -> str:
        """Return how an ACL ends, as a word."""
        return self.verdict(text, phase).outcome.value

    def is_true(self, condition: str, phase: Phase = Phase.RCPT) -> bool:
        """Return what a condition comes to."""
        outcome = self.outcome(f"accept {condition}", phase)
        self.assertIn(outcome, ("accept", "deny"))
        return outcome == "accept"
