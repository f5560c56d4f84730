"""Messages that ask something of TLS, and what receiving domains publish."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.host import Answer, Host
from mta.host import Outcome as Found
from mta.recipient import Result
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.tls.sts import Mode, Policy
from mta.tls.tlsa import TLSA
from mta.tls.verdict import TLSVerdict, met, unmet
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import Problem, Scope, tls_problem
from mta.transports.smtp_requiretls import Secrecy, Wish
from tests.smtp.fake_server import KEYWORDS
from tests.transports.requiring import MailHost, RequireTLSCase


def sts(mode: Mode, *patterns: str) -> Policy:
    """Return a policy."""
    return Policy(mode, 86400, patterns or ("mx.example",))


class PublishedTests(RequireTLSCase):
    """Messages that ask for something, and domains that do."""

    async def test_name_in_policy(self) -> None:
        """An enforced MTA-STS policy proves the name in an MX record."""
        host = self.serve(MailHost("mx.example", secure=False))
        self.policy = sts(Mode.ENFORCE)

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_name_in_trial_policy(self) -> None:
        """So does one that is being tested: it names the same hosts."""
        host = self.serve(MailHost("mx.example", secure=False))
        self.policy = sts(Mode.TESTING)

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_certificate_under_trial_policy(self) -> None:
        """The message demands what the policy would only look at."""
        self.policy = sts(Mode.TESTING)
        for host in (
            self.serve(MailHost("mx.example", secure=False, clear=KEYWORDS)),
            self.serve(MailHost("mx.example", secure=False, certified="b.example")),
        ):
            outcome = await self.deliver(host)

            self.assert_failed(outcome, "5.7.10", "TLS")
            self.assert_unsent(host)

    async def test_name_in_no_policy(self) -> None:
        """A policy that is withdrawn, or has other names, proves nothing."""
        host = self.serve(MailHost("mx.example", secure=False))
        for policy in (sts(Mode.NONE), sts(Mode.TESTING, "other.example")):
            self.policy = policy

            outcome = await self.deliver(host)

            self.assert_failed(outcome, "5.7.30", "nothing proves that its MX record")
            self.assertEqual(0, host.fake.connections)

    async def test_name_not_in_policy(self) -> None:
        """A host that the policy does not name gets nothing, and the message fails."""
        host = self.serve(MailHost("mx.example", secure=False))
        self.policy = sts(Mode.ENFORCE, "other.example")

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.10", "is not among the hosts")
        self.assertEqual(0, host.fake.connections)

    async def test_optional(self) -> None:
        """TLS-Required: No goes where the domain's policy lets nothing go."""
        self.policy = sts(Mode.ENFORCE)
        for host in (
            self.serve(MailHost("mx.example", clear=KEYWORDS)),
            self.serve(MailHost("mx.example", certified="other.example")),
            self.serve(MailHost("other.example")),
        ):
            stopped = await self.deliver(host, requiretls=False)
            self.assertIs(stopped.result, Result.DEFERRED, stopped)
            self.assert_unsent(host)

            sent = await self.deliver(host, requiretls=False, tls_optional=True)

            self.assertIs(sent.result, Result.DELIVERED, sent)

    async def test_optional_and_options(self) -> None:
        """What the configuration demands holds for it all the same."""
        for options in ({"hosts_require_tls": "*"}, {"hosts_require_ocsp": "*"}):
            host = self.serve(MailHost("mx.example", clear=KEYWORDS))

            outcome = await self.deliver(
                host, requiretls=False, tls_optional=True, **options
            )

            self.assertIs(outcome.result, Result.DEFERRED, outcome)
            self.assert_unsent(host)

        host = self.serve(MailHost("mx.example", certified="other.example"))
        outcome = await self.deliver(
            host, requiretls=False, tls_optional=True, tls_verify_hosts="*"
        )
        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assert_unsent(host)


class RecordTests(RequireTLSCase):
    """Messages that ask for something, and hosts with TLSA records."""

    def publish(self, host: MailHost, record: tuple[int, int, int, bytes]) -> None:
        """Put a record into the DNS, secure as all that leads to it."""
        place = f"_{host.host.port}._tcp.{host.name}"
        found = (place, "TLSA"), (record,)
        for key, records in (found, ((host.name, "A"), ("127.0.0.1",))):
            self.resolver.records[key] = Answer(Found.FOUND, records, True)

    async def test_mismatch(self) -> None:
        """A host that its records disown gets nothing, whoever vouches for it."""
        host = self.serve(MailHost("mx.example"))
        self.publish(host, (3, 1, 1, b"x" * 32))

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.10", "TLS session:")
        self.assert_unsent(host)

    async def test_mismatch_optional(self) -> None:
        """With TLS-Required: No it gets what else would wait."""
        host = self.serve(MailHost("mx.example"))
        self.publish(host, (3, 1, 1, b"x" * 32))

        stopped = await self.deliver(host, requiretls=False)
        self.assertIs(stopped.result, Result.DEFERRED, stopped)
        self.assert_unsent(host)
        sent = await self.deliver(host, requiretls=False, tls_optional=True)

        self.assertIs(sent.result, Result.DELIVERED, sent)

    async def test_demanded(self) -> None:
        """But not where the configuration demands DANE."""
        host = self.serve(MailHost("mx.example"))
        self.publish(host, (3, 1, 1, b"x" * 32))

        outcome = await self.deliver(
            host, requiretls=False, tls_optional=True, hosts_require_dane="*"
        )

        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assert_unsent(host)

    async def test_unusable(self) -> None:
        """Records that say nothing leave it to authorities and names."""
        good = self.serve(MailHost("mx.example"))
        self.publish(good, (0, 0, 1, b"x" * 32))
        outcome = await self.deliver(good)
        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", good.mail_command)

        other = self.serve(MailHost("mx.example", certified="other.example"))
        self.publish(other, (0, 0, 1, b"x" * 32))
        outcome = await self.deliver(other)
        self.assert_failed(outcome, "5.7.10", "certificate name mismatch")
        self.assert_unsent(other)


class SecrecyTests(SynchronousTestCase):
    """What is asked of a host, without one."""

    def settings(self, *, lmtp: bool = False, **facts: Any) -> HostSettings:
        """Return how a host is spoken to."""
        return HostSettings(
            host=Host("mx.example", "192.0.2.1", 25, 10, True),
            port=25,
            interface="",
            helo="me.example",
            policy=ClientTLSPolicy(**facts),
            retry_key="T:mx.example",
            is_lmtp=lmtp,
        )

    def demanded(self, **facts: Any) -> ClientTLSPolicy:
        """Return what a message with REQUIRETLS demands there."""
        found = Secrecy(Wish.REQUIRED).demanded(self.settings(**facts))
        assert isinstance(found, HostSettings), found
        return found.policy

    def test_certificate(self) -> None:
        """The certificate must be verified, for the host's name."""
        for verify in Verify:
            policy = self.demanded(verify=verify, name="")

            self.assertIs(Verify.REQUIRE, policy.verify)
            self.assertEqual("mx.example", policy.name)
            self.assertIs(Start.REQUIRED, policy.start)
            self.assertFalse(policy.allows_clear_text)

    def test_implicit_tls(self) -> None:
        """Where TLS comes first it stays so."""
        self.assertIs(Start.ON_CONNECT, self.demanded(start=Start.ON_CONNECT).start)

    def test_records(self) -> None:
        """TLSA records take the place of authorities and names."""
        records = (TLSA(3, 1, 1, b"x" * 32),)

        policy = self.demanded(
            dane=records, dane_names=("mx.example",), verify=Verify.NEVER
        )

        self.assertIs(Start.REQUIRED, policy.start)
        self.assertIs(Verify.NEVER, policy.verify)

    def test_proofs(self) -> None:
        """Chain and name, or TLSA records, prove who a host is; nothing less does."""
        for verdict, is_enough in (
            (TLSVerdict(tls=met(), chain=met(), name=met()), True),
            (TLSVerdict(tls=met(), dane=met()), True),
            (TLSVerdict(tls=met(), chain=met()), False),
            (TLSVerdict(tls=met(), name=met()), False),
            (TLSVerdict(tls=met(), chain=met(), name=unmet("other")), False),
            (TLSVerdict(tls=met()), False),
        ):
            session = SimpleNamespace(capabilities={"REQUIRETLS"})
            link: Any = SimpleNamespace(
                tls=object(), verdict=verdict, client=SimpleNamespace(session=session)
            )
            secrecy = Secrecy(Wish.REQUIRED, hosts=1)

            found = secrecy.shortcoming(link, self.settings())

            self.assertIs(is_enough, found is None, verdict.text)
            self.assertIs(is_enough, link.verdict.requiretls.met)

    def test_refusals(self) -> None:
        """A certificate that does not count is final; a broken handshake is not."""
        bad = unmet("no", required=True)
        for verdict, is_final in (
            (TLSVerdict(tls=bad, chain=bad), True),
            (TLSVerdict(tls=met(), name=bad), True),
            (TLSVerdict(tls=met(), ocsp=bad), True),
            (TLSVerdict(tls=met(), crl=bad), True),
            (TLSVerdict(tls=met(), dane=bad), True),
            (TLSVerdict(tls=bad), False),
        ):
            secrecy = Secrecy(Wish.REQUIRED, hosts=1)
            failure = HostProblem(tls_problem("TLS session: no"), verdict)

            problem = secrecy.problem(failure, self.settings())

            self.assertIs(is_final, bool(secrecy.lacking), verdict.text)
            self.assertIs(is_final, failure.verdict.requiretls.has_failed)
            self.assertIs(Scope.DEMAND if is_final else Scope.MESSAGE, problem.scope)

    def test_others(self) -> None:
        """Nothing is asked for other messages, nor by LMTP."""
        plain = self.settings()
        local = self.settings(lmtp=True)

        self.assertIs(plain, Secrecy(Wish.NOTHING).demanded(plain))
        self.assertIs(plain, Secrecy(Wish.OPTIONAL).demanded(plain))
        self.assertIs(local, Secrecy(Wish.REQUIRED).demanded(local))

    def test_passed_on(self) -> None:
        """Hosts alone that are known to be the right ones are asked for more."""
        known = TLSVerdict(tls=met(), chain=met(), name=met())
        for wish, tls, verdict, is_asked in (
            (Wish.REQUIRED, object(), known, True),
            (Wish.REQUIRED, None, known, False),
            (Wish.REQUIRED, object(), TLSVerdict(tls=met()), False),
            (Wish.NOTHING, object(), known, False),
        ):
            link: Any = SimpleNamespace(tls=tls, verdict=verdict)

            self.assertIs(is_asked, Secrecy(wish).passes_on(link), verdict.text)

    def test_verdict_of_another_message(self) -> None:
        """What one message proved is not told of the next on the connection."""
        link: Any = SimpleNamespace(verdict=TLSVerdict(requiretls=met(required=True)))

        self.assertIsNone(Secrecy().shortcoming(link, self.settings()))

        self.assertFalse(link.verdict.requiretls.asked)

    def test_no_tls(self) -> None:
        """A host with which TLS is not used is of no use."""
        found = Secrecy(Wish.REQUIRED).demanded(self.settings(start=Start.NEVER))

        self.assertIsInstance(found, Problem)
