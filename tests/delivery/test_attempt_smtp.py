"""One attempt at a message through a real smtp transport."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.attempt import AttemptResult
from mta.expand.registry import Language
from tests.delivery.fakes import Rig
from tests.smtp.fake_server import FakeNetwork, FakeServer
from tests.transports.relaying import smtp_transport

OWN_PATH = "bounces+$local_part=$domain@example.com"


class RecipientsTests(SynchronousTestCase):
    def deliver(self, *recipients: str, **options: str) -> AttemptResult:
        """Deliver a message to recipients that all have one host."""
        self.rig = Rig()
        self.server = FakeServer()
        network = FakeNetwork()
        network.servers["192.0.2.1", 25] = self.server
        self.rig.transports["remote"] = smtp_transport(
            network, language=Language.load(), hosts="192.0.2.1", **options
        )
        message = self.rig.message(*recipients)
        attempt = self.rig.make_attempt().deliver(message)
        result = Deferred.fromCoroutine(attempt)
        network.pump()
        return self.successResultOf(result)

    def senders(self) -> list[str]:
        """Return the reverse-paths that the host was given."""
        return [
            command.split()[1].removeprefix("FROM:")
            for command in self.server.commands
            if command.startswith("MAIL")
        ]

    def test_own_return_path(self) -> None:
        """With max_rcpt = 1 each recipient has a return path of its own."""
        self.deliver("a@x.example", "b@x.example", max_rcpt="1", return_path=OWN_PATH)

        self.assertEqual(
            sorted(self.senders()),
            ["<bounces+a=x.example@example.com>", "<bounces+b=x.example@example.com>"],
        )
        self.assertEqual(self.rig.store.durable, {})

    def test_together(self) -> None:
        """Else they go together, and no local part is anyone's."""
        self.deliver("a@x.example", "b@x.example", return_path=OWN_PATH)

        self.assertEqual(self.senders(), ["<bounces+=x.example@example.com>"])
