"""A DNS in which hosts publish TLSA records."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.host import Answer, Host, Outcome
from mta.message import Message, Recipient
from mta.recipient import RoutedAddress
from mta.testing import FakeResolver
from mta.tls.policy import ClientTLSPolicy
from mta.tls.tlsa import TLSA
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_dane import under_records
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_settings import settings_for

LANGUAGE = Language.load()
MX = Host("mx.example", "192.0.2.1", 25, 10, secure=True, mail_domain="example.com")
OPEN = Host("mx.example", "192.0.2.1", 25, 10)
OWN = TLSA(3, 1, 1, b"x" * 32)
ISSUER = TLSA(2, 1, 1, b"y" * 32)
UNUSABLE = (3, 1, 1, b"x")
BASE = "_25._tcp.mx.example"


def found(*records: Any, secure: bool = True, name: str = "") -> Answer:
    """Return an answer with records."""
    return Answer(Outcome.FOUND, tuple(records), secure, 60, name=name)


class RecordsCase(SynchronousTestCase):
    """Has a DNS in which the address of the host is secure."""

    def setUp(self) -> None:
        self.resolver = FakeResolver({("mx.example", "A"): found("192.0.2.1")})

    def publish(self, *records: Any, at: str = BASE, **facts: Any) -> None:
        """Put TLSA records into the DNS."""
        self.resolver.records[at, "TLSA"] = found(*records, **facts)

    def context(self, *domains: str, **facts: Any) -> Context:
        """Return the context of a message to addresses in some domains."""
        site = Site(primary_hostname="me.example", resolver=self.resolver)
        message = Message(**facts)
        addresses = []
        for domain in domains or ("example.com",):
            address = parse_address(f"joe@{domain}")
            routed = RoutedAddress(address, Recipient(address))
            routed.local_part, routed.domain = address
            addresses.append(routed)
        return Context(site, message=message, addresses=addresses)

    def begin(
        self, host: Host, context: Context | None, options: dict[str, str]
    ) -> Deferred[HostSettings]:
        """Find out how to speak to a host."""
        used = context or self.context()
        driver = SMTPTransport.with_texts(options, language=LANGUAGE, name="out")

        async def both() -> HostSettings:
            self.before = await settings_for(driver, host, used)
            return await under_records(driver, self.before, used)

        return Deferred.fromCoroutine(both())

    def decide(
        self, host: Host = MX, context: Context | None = None, **options: str
    ) -> HostSettings:
        """Return how to speak to a host."""
        return self.successResultOf(self.begin(host, context, options))

    def policy(self, host: Host = MX, **facts: Any) -> ClientTLSPolicy:
        """Return the policy for a host."""
        return self.decide(host, **facts).policy

    def refusal(
        self, host: Host = MX, context: Context | None = None, **options: str
    ) -> HostProblem:
        """Return why a host gets nothing."""
        failure = self.failureResultOf(self.begin(host, context, options), HostProblem)
        assert isinstance(failure.value, HostProblem)
        return failure.value

    @property
    def asked(self) -> list[str]:
        """The names whose TLSA records were asked for."""
        return [name for name, kind in self.resolver.asked if kind == "TLSA"]
