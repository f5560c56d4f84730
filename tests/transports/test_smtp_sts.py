"""Hosts are held against the MTA-STS policies of the domains that name them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.host import Host
from mta.tls.policy import ClientTLSPolicy, Start, STSDemand, Verify
from mta.tls.sts import Mode, Policy
from mta.tls.verdict import UNASKED, PublishedPolicy, TLSVerdict, absent, met, unmet
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import TLS_REQUIRED, Problem, Scope, tls_problem
from mta.transports.smtp_sts import (
    held_against,
    policy_domain,
    under_policy,
)

DOMAIN = "example.test"
HOST = Host("mx.example.test", "192.0.2.1", 25, 10, mail_domain=DOMAIN)
OTHER = Host("mx.other.test", "192.0.2.2", 25, 10, mail_domain=DOMAIN)
PUBLISHED = PublishedPolicy("sts", DOMAIN, ("version: STSv1",), ("*.example.test",))


def policy(mode: Mode = Mode.ENFORCE) -> Policy:
    """Return a policy that allows HOST."""
    return Policy(mode, 86400, PUBLISHED.mx_patterns, PUBLISHED.strings)


def settings(host: Host = HOST, **facts: Any) -> HostSettings:
    """Return how a host is spoken to, by TLS options alone."""
    return HostSettings(host, 25, "", "me.test", ClientTLSPolicy(**facts), "T:x")


class HeldTests(SynchronousTestCase):
    """What a policy changes in how a host is spoken to."""

    def held(self, host: Host = HOST, mode: Mode = Mode.ENFORCE, **facts: Any) -> Any:
        return held_against(settings(host, **facts), DOMAIN, policy(mode))

    def refused(self, host: Host, **facts: Any) -> HostProblem:
        with self.assertRaises(HostProblem) as caught:
            self.held(host, **facts)
        return caught.exception

    def test_enforced(self) -> None:
        """TLS, a verified certificate and its name are demanded, SNI is the name."""
        for start in (Start.OFFERED, Start.REQUIRED):
            for verify in Verify:
                held = self.held(start=start, verify=verify, server_name="x")
                self.assertEqual(
                    held.policy,
                    ClientTLSPolicy(
                        Start.REQUIRED,
                        Verify.REQUIRE,
                        HOST.name,
                        HOST.name,
                        sts=STSDemand(HOST.name, True),
                    ),
                )
                self.assertFalse(held.may_go_clear)
                self.assertEqual(held.sts_policy, PUBLISHED)

    def test_on_connect(self) -> None:
        """TLS that begins at once stays so."""
        held = self.held(start=Start.ON_CONNECT)

        self.assertIs(held.policy.start, Start.ON_CONNECT)

    def test_avoided(self) -> None:
        """A host with which TLS is not to be used gets nothing."""
        failure = self.refused(HOST, start=Start.NEVER, verify=Verify.NEVER)

        self.assertIn("TLS is not to be used with it, but", str(failure))

    def test_not_among_them(self) -> None:
        """Nor does one that the policy does not name; nobody else suffers for it."""
        problem = self.refused(OTHER).problem

        self.assertEqual(
            problem,
            Problem(
                Scope.RECIPIENT,
                "a TLS session is required, but mx.other.test is not among the hosts of "
                "example.test's MTA-STS policy",
                TLS_REQUIRED,
                "tls_required",
                "4.7.5",
            ),
        )

    def test_verdict_without_connection(self) -> None:
        """The verdict says that nothing was tried, and why."""
        verdict = self.refused(OTHER).verdict

        self.assertEqual(
            (verdict.host, verdict.ip_address), (OTHER.name, OTHER.ip_address)
        )
        self.assertEqual(verdict.tls.word, "none!")
        self.assertEqual(verdict.sts.word, "no!")
        self.assertEqual(verdict.sts.result_type, "validation-failure")
        self.assertEqual(verdict.policies, (PUBLISHED,))

    def test_testing(self) -> None:
        """A test demands nothing, but lets the certificate be looked at."""
        for verify, then in (
            (Verify.NEVER, Verify.TRY),
            (Verify.TRY, Verify.TRY),
            (Verify.REQUIRE, Verify.REQUIRE),
        ):
            held = self.held(mode=Mode.TESTING, verify=verify, name="x")
            self.assertIs(held.policy.start, Start.OFFERED)
            self.assertIs(held.policy.verify, then)
            self.assertEqual(held.policy.name, "x")
            self.assertEqual(held.policy.sts, STSDemand(HOST.name, False))

    def test_testing_avoided(self) -> None:
        """A test does not begin TLS where it is avoided."""
        facts = {"start": Start.NEVER, "verify": Verify.NEVER}
        held = self.held(mode=Mode.TESTING, **facts)

        self.assertIs(held.policy.start, Start.NEVER)

    def test_testing_not_among_them(self) -> None:
        """A host that the test's policy does not name is spoken to as ever."""
        held = self.held(OTHER, mode=Mode.TESTING)

        self.assertEqual(held.policy, ClientTLSPolicy())
        self.assertEqual(held.sts.word, "no")

    def test_case(self) -> None:
        """Names are compared without regard to case and final dot."""
        host = replace(HOST, name="MX.Example.TEST.")

        self.assertTrue(self.held(host).policy.sts.is_enforced)


class FailureTests(SynchronousTestCase):
    """What failures mean under a policy."""

    def failure(self, problem: Problem, *, enforced: bool = True) -> Problem:
        mode = Mode.ENFORCE if enforced else Mode.TESTING
        held = held_against(settings(), DOMAIN, policy(mode))
        return under_policy(HostProblem(problem), held).problem

    def test_of_tls(self) -> None:
        """One of TLS concerns the recipients alone, and names the policy."""
        for number in (-37, -38):
            problem = self.failure(tls_problem("TLS session: x", number))
            self.assertIs(problem.scope, Scope.RECIPIENT)
            self.assertEqual(
                problem.text, "TLS session: x (MTA-STS policy of example.test)"
            )

    def test_testing(self) -> None:
        """In a test it is what it was."""
        problem = tls_problem("TLS session: x")

        self.assertEqual(self.failure(problem, enforced=False), problem)

    def test_others(self) -> None:
        """What has to do with the host is everybody's."""
        problem = Problem(Scope.HOST, "Connection refused", 111)

        self.assertEqual(self.failure(problem), problem)

    def test_without_policy(self) -> None:
        """Without a policy nothing changes."""
        problem = tls_problem("TLS session: x")

        found = under_policy(HostProblem(problem), settings())

        self.assertEqual(found.problem, problem)


class StampTests(SynchronousTestCase):
    """A connection's verdict, as it tells of the domain in hand."""

    good = TLSVerdict(tls=met(), sts=met(required=True))

    def test_policy(self) -> None:
        """It names the domain's own policy, not that of who opened the connection."""
        before = self.good.having(policies=(PublishedPolicy("sts", "other.test"),))
        held = held_against(settings(), DOMAIN, policy())

        verdict = held.stamped(before)

        self.assertEqual(verdict.policies, (PUBLISHED,))
        self.assertEqual(verdict.sts, before.sts)

    def test_other_kinds(self) -> None:
        """Policies of DANE stay."""
        dane = PublishedPolicy("tlsa", "mx.example.test")
        held = held_against(settings(), DOMAIN, policy())

        verdict = held.stamped(self.good.having(policies=(dane,)))

        self.assertEqual(verdict.policies, (dane, PUBLISHED))

    def test_no_policy(self) -> None:
        """A domain without one says nothing of it."""
        before = self.good.having(policies=(PUBLISHED,))

        verdict = settings().stamped(before)

        self.assertIs(verdict.sts, UNASKED)
        self.assertEqual(verdict.policies, ())

    def test_untouched(self) -> None:
        """Where there is nothing to tell it is the same value."""
        for verdict in (TLSVerdict(), TLSVerdict(tls=met())):
            self.assertIs(settings().stamped(verdict), verdict)

    def test_fault(self) -> None:
        """A policy that could not be had is told of."""
        check = absent("x", result_type="sts-policy-fetch-error")

        verdict = replace(settings(), sts=check).stamped(TLSVerdict(tls=met()))

        self.assertEqual(verdict.sts, check)

    def test_no_tls(self) -> None:
        """A session in clear does not meet a policy."""
        for mode in (Mode.ENFORCE, Mode.TESTING):
            held = held_against(settings(), DOMAIN, policy(mode))
            verdict = held.stamped(TLSVerdict(tls=unmet("no TLS")))
            self.assertEqual(verdict.sts.reason, "no TLS")
            self.assertEqual(verdict.sts.result_type, "starttls-not-supported")
            self.assertEqual(verdict.sts.required, mode is Mode.ENFORCE)


class DomainTests(SynchronousTestCase):
    """Whose policy a host is under."""

    def test_mail_domain(self) -> None:
        """That of the domain whose MX record names it."""
        self.assertEqual(policy_domain(HOST), DOMAIN)
        named = replace(HOST, mail_domain="Müller.Example")
        self.assertEqual(policy_domain(named), "xn--mller-kva.example")

    def test_next_hop(self) -> None:
        """That of the next hop, where a configuration names it."""
        self.assertEqual(policy_domain(replace(HOST, mail_domain="")), HOST.name)

    def test_none(self) -> None:
        """Addresses and names of one label are under none."""
        for name in ("192.0.2.1", "2001:db8::1", "[192.0.2.1]", "localhost", ""):
            host = Host(name, "192.0.2.1")
            self.assertEqual(policy_domain(host), "", name)
