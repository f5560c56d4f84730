"""An smtp transport on a network in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.expand.context import Site
from mta.host import Host
from mta.message import IBody
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, FakeResolver, MemoryLogs, PlainLanguage
from mta.transports.base import Batch
from mta.transports.smtp import SMTPTransport
from tests.smtp.fake_server import FakeNetwork, FakeServer
from tests.transports.delivering import BODY, batch_of

SENDER = Address("sender", "example.org")
RETRY_A = "T:a.example:192.0.2.1"
RETRY_B = "T:b.example:192.0.2.2"
HOST_A = Host("a.example", "192.0.2.1", preference=10)
HOST_B = Host("b.example", "192.0.2.2", preference=20)
HOST_C = Host("c.example", "2001:db8::3")


def smtp_transport(
    network: Any, *, language: Any = None, **options: str
) -> SMTPTransport:
    """Return a transport with options, ready to deliver."""
    driver = SMTPTransport.with_texts(
        options, language=language or PlainLanguage(), name="remote_smtp"
    )
    driver.attach(reactor=network, thread_pool=None)
    return driver


class RelayCase(SynchronousTestCase):
    """Delivers to the hosts A and B, which are fakes that a test may replace."""

    def setUp(self) -> None:
        self.network = FakeNetwork()
        self.a = self.serve(HOST_A, FakeServer())
        self.b = self.serve(HOST_B, FakeServer())
        self.hints = FakeHints()
        self.logs = MemoryLogs()
        self.resolver = FakeResolver()
        self.driver = self.transport()

    def serve(self, host: Host, server: Any, port: int = 25) -> Any:
        """Let a server (or an exception) answer where a host is."""
        self.network.servers[host.ip_address, port] = server
        return server

    def transport(self, **options: Any) -> SMTPTransport:
        """Use a transport with options from now on."""
        self.driver = smtp_transport(self.network, **options)
        return self.driver

    def batch(
        self,
        *names: str,
        hosts: tuple[Host, ...] = (HOST_A, HOST_B),
        body: bytes | IBody = BODY,
        **facts: Any,
    ) -> Batch:
        """Return a batch for addresses that a router sent to some hosts."""
        site = Site(
            primary_hostname="mx.example",
            logs=self.logs,
            resolver=self.resolver,
            clock=lambda: 86400.0,
        )
        batch = batch_of(
            *names, sender=SENDER, site=site, hosts=list(hosts), body=body, **facts
        )
        batch.context.values["primary_hostname"] = "mx.example"
        batch.message.sender = SENDER
        batch.hints = self.hints
        return batch

    def begin(self, batch: Batch) -> Deferred[list[Outcome]]:
        """Begin to deliver; all happens that needs no time."""
        result = Deferred.fromCoroutine(self.driver.deliver(batch))
        self.network.pump()
        return result

    def deliver(self, *names: str, seconds: float = 0, **facts: Any) -> list[Outcome]:
        """Deliver to the end, let time pass if need be, outcomes by address."""
        batch = self.batch(*names, **facts)
        result = self.begin(batch)
        if seconds:
            self.network.advance(seconds)
        outcomes = self.successResultOf(result)
        place = {id(address): n for n, address in enumerate(batch.addresses)}
        self.assertEqual(sorted(place.values()), list(range(len(outcomes))))
        return sorted(outcomes, key=lambda outcome: place[id(outcome.address)])

    def one(self, **facts: Any) -> Outcome:
        """Deliver to one address and return what became of it."""
        [outcome] = self.deliver(**facts)
        return outcome

    def assert_deferred(self, outcome: Outcome, error: int, text: str) -> None:
        """Check the number and text of the ``==`` line."""
        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual((outcome.error, outcome.text), (error, text))

    def assert_failed(self, outcome: Outcome, text: str) -> None:
        """Check the text of the ``**`` line."""
        self.assertIs(outcome.result, Result.FAILED, outcome)
        self.assertEqual(outcome.text, text)

    def assert_delivered(self, outcome: Outcome, host: Host = HOST_A) -> None:
        """Check that a host took the message."""
        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        assert outcome.host is not None
        self.assertEqual(outcome.host.name, host.name)

    @property
    def failed_keys(self) -> list[str]:
        """The keys of the hints that were kept."""
        return [key for key, _ in self.hints.failures]
