"""An smtp transport, mail hosts and a policy host, all on the loopback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from mta.hints import Hints
from mta.host import Host
from mta.recipient import Outcome, Result
from mta.transports.smtp import SMTPTransport
from tests.smtp.fake_server import KEYWORDS
from tests.tls.policy_host import DOMAIN, HOST, PolicyHost, answer
from tests.transports.delivering import batch_of
from tests.transports.relaying import SENDER
from tests.transports.requiring import MailHost, RequireTLSCase
from tests.transports.test_smtp_verdicts import MemoryResults

MX = "mx.example.test"


class STSCase(RequireTLSCase):
    """The domain ``example.test`` publishes a policy; the host MX fits to it."""

    timeout = 60

    def setUp(self) -> None:
        super().setUp()
        self.results = MemoryResults()
        self.kept: Any = None
        self.serve_policies("*.example.test")
        self.resolver.records[HOST, "A"] = ["127.0.0.1"]
        self.announce("1")

    def serve_policies(self, *names: str) -> None:
        """Let a policy host listen, with a certificate for names."""
        before = getattr(self, "policy_host", None)
        self.policy_host = host = PolicyHost(self.authority.issue_cert(*names))
        self.addCleanup(lambda: Deferred.fromCoroutine(host.stop()))
        if before is not None:
            host.said = before.said

    def new_hints(self) -> Hints:
        """Return hints in a file, for one process after another."""
        hints = Hints(self.mktemp(), clock=lambda: 86400.0)
        self.addCleanup(hints.close)
        return hints

    def announce(self, identifier: str, mode: str = "enforce", mx: str = MX) -> None:
        """Publish a policy with an id."""
        self.resolver.records[f"_mta-sts.{DOMAIN}", "TXT"] = [
            f"v=STSv1; id={identifier};".encode()
        ]
        text = f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"
        self.policy_host.said = answer(text.encode())

    def mail_host(self, name: str = MX, domain: str = DOMAIN, **facts: Any) -> MailHost:
        """Let a host listen that an MX record of a domain names."""
        preference = 10 if domain else -1
        facts = {"secure": False, "preference": preference, **facts}
        host = self.serve(MailHost(name, **facts))
        host.host = replace(host.host, mail_domain=domain)
        return host

    def clear_host(self, **facts: Any) -> MailHost:
        """Let a host listen that has no TLS."""
        return self.mail_host(clear=KEYWORDS, **facts)

    def transport(self, **options: str) -> SMTPTransport:
        """Return a transport that trusts the authority for policies, too."""
        standard = {
            "mta_sts_certificates": self.trusted,
            "mta_sts_port": str(self.policy_host.port),
        }
        driver = super().transport(**{**standard, **options})
        driver._published._known = None
        return driver

    async def send(
        self,
        *hosts: MailHost,
        names: tuple[str, ...] = (f"joe@{DOMAIN}",),
        driver: SMTPTransport | None = None,
        tls_optional: bool = False,
        hosts_of: dict[str, list[Host]] | None = None,
        **options: str,
    ) -> list[Outcome]:
        """Deliver a message to the hosts and return what became of it."""
        used = driver or self.transport(**options)
        batch = batch_of(*names, sender=SENDER, hosts=[host.host for host in hosts])
        for address in batch.addresses:
            if hosts_of is not None:
                address.hosts = hosts_of[address.domain]
        batch.message.tls_optional = tls_optional
        batch.hints = self.hints
        site = batch.context.site
        site.logs, site.resolver, site.hints = self.logs, self.resolver, self.kept
        site.tls_results = self.results
        outcomes = await used.deliver(batch)
        if driver is None:
            await used.close()
        return outcomes

    async def one(self, *hosts: MailHost, **facts: Any) -> Outcome:
        """Deliver to one address and return what became of it."""
        [outcome] = await self.send(*hosts, **facts)
        return outcome

    def assert_delivered(
        self, outcome: Outcome, host: MailHost, field: str = ""
    ) -> None:
        """Check that a host took the message, and that the log has a field."""
        self.assertIs(outcome.result, Result.DELIVERED, outcome.text)
        self.assertEqual(len(host.fake.messages), 1)
        self.assertIn(field, ["", *outcome.log_fields])

    def assert_deferred(self, outcome: Outcome, text: str, *hosts: MailHost) -> None:
        """Check that the message waits, and no host learnt of it."""
        self.assertIs(outcome.result, Result.DEFERRED, outcome.text)
        self.assertIn(text, outcome.text)
        self.assert_unsent(*hosts)

    def check(self, domain: str = DOMAIN) -> tuple[str, str, str]:
        """Return what was noted of the domain's policy last: word, reason, type."""
        [*_, verdict] = [told[3] for told in self.results.told if told[0] == domain]
        return verdict.sts.word, verdict.sts.reason, verdict.sts.result_type

    def published(self, domain: str = DOMAIN) -> list[str]:
        """Return the domains of the policies that were noted with the last verdict."""
        [*_, verdict] = [told[3] for told in self.results.told if told[0] == domain]
        return [policy.domain for policy in verdict.policies]
