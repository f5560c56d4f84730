"""What is looked up before a host is spoken to, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

from mta.host import Host, Outcome
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.tls.tlsa import TLSA
from mta.tls.verdict import UNASKED, absent
from mta.transports.smtp_problems import DNS_DEFER, TLS_REQUIRED, Scope
from tests.transports.publishing import (
    BASE,
    ISSUER,
    OPEN,
    OWN,
    UNUSABLE,
    RecordsCase,
    found,
)


class LookUpTests(RecordsCase):
    """``hosts_try_dane`` and ``hosts_require_dane``."""

    def test_insecure_host(self) -> None:
        """Without DNSSEC nothing is asked, and nothing is different."""
        self.publish(OWN)

        self.assertIs(self.decide(OPEN), self.before)
        self.assertEqual(self.resolver.asked, [])

    def test_insecure_host_refused(self) -> None:
        """But for hosts that must have it."""
        failure = self.refusal(OPEN, hosts_require_dane="*")

        problem = failure.problem
        self.assertEqual(problem.text, "DANE error: mx.example lookup not DNSSEC")
        self.assertEqual((problem.number, problem.scope), (DNS_DEFER, Scope.HOST))
        self.assertEqual(failure.verdict.dane.result_type, "dane-required")
        self.assertTrue(failure.verdict.dane.is_violated)
        self.assertEqual(self.resolver.asked, [])

    def test_literal(self) -> None:
        """An IP address has no records, whatever is said of it."""
        literal = Host("192.0.2.1", "192.0.2.1", 25, secure=True)

        self.assertIs(self.decide(literal), self.before)
        self.refusal(literal, hosts_require_dane="192.0.2.1")
        self.assertEqual(self.resolver.asked, [])

    def test_without_resolver(self) -> None:
        """Where nobody can be asked, only a demand makes a difference."""
        context = self.context()
        context.site.resolver = None

        self.assertIs(self.decide(context=context), self.before)
        self.refusal(context=context, hosts_require_dane="*")

    def test_nothing_published(self) -> None:
        """A secure host without TLSA records is like any other, if that may be."""
        for answer in (Outcome.NO_DOMAIN, Outcome.NO_DATA, found(OWN, secure=False)):
            self.resolver.records[BASE, "TLSA"] = answer

            decided = self.decide()
            self.assertEqual(replace(decided, dane=UNASKED), self.before)
            self.assertEqual(decided.dane, absent("no TLSA records"))
            failure = self.refusal(hosts_require_dane="*")
            self.assertEqual(failure.problem.text, "DANE error: tlsa lookup FAIL")
            self.assertEqual(failure.verdict.dane.result_type, "dane-required")

    def test_not_now(self) -> None:
        """Where the records cannot be had now the host gets nothing now."""
        self.resolver.records[BASE, "TLSA"] = Outcome.AGAIN

        for options, result_type in (
            ({}, "dnssec-invalid"),
            ({"hosts_require_dane": "*"}, "dane-required"),
        ):
            failure = self.refusal(**options)

            self.assertEqual(failure.problem.text, "DANE error: tlsa lookup DEFER")
            self.assertEqual(failure.problem.number, DNS_DEFER)
            self.assertEqual(failure.verdict.dane.result_type, result_type)

    def test_not_tried(self) -> None:
        """Hosts in neither list are left alone; those to be required are tried."""
        self.publish(OWN)
        for options, is_asked in (
            ({"hosts_try_dane": ""}, False),
            ({"hosts_try_dane": "! mx.example : *"}, False),
            ({"hosts_try_dane": "192.0.2.2"}, False),
            ({"hosts_try_dane": "192.0.2.1"}, True),
            ({"hosts_try_dane": "", "hosts_require_dane": "mx.example"}, True),
        ):
            self.resolver.asked.clear()

            self.assertEqual(bool(self.policy(**options).dane), is_asked, options)
            self.assertEqual(bool(self.asked), is_asked)

    def test_port(self) -> None:
        """The records are those of the port that is connected to."""
        other = Host("mx.example", "192.0.2.1", 2525, secure=True)
        self.publish(OWN, at="_2525._tcp.mx.example")

        self.assertEqual(self.policy(other).dane, (OWN,))
        self.policy(Host("mx.example", "192.0.2.1", secure=True), protocol="smtps")
        self.assertEqual(self.asked[-1], "_465._tcp.mx.example")

    def test_other_script(self) -> None:
        """A name in another script is asked for, sent and compared in A-labels."""
        host = Host("bücher.example", "192.0.2.1", 25, secure=True)
        self.publish(ISSUER, at="_25._tcp.xn--bcher-kva.example")

        policy = self.policy(host)

        self.assertEqual(policy.server_name, "xn--bcher-kva.example")
        self.assertEqual(policy.dane_names, ("xn--bcher-kva.example",))

    def test_optional(self) -> None:
        """A sender who does not want TLS to stand in the way has it so."""
        self.publish(OWN)
        context = self.context(tls_optional=True)

        self.assertIs(self.decide(context=context), self.before)
        required = self.policy(context=context, hosts_require_dane="*")
        self.assertEqual(required.dane, (OWN,))

    def test_unusable(self) -> None:
        """Records that are all of no use demand TLS, but no certificate."""
        self.publish(UNUSABLE, (1, 1, 1, b"x" * 32))

        policy = self.policy()
        self.assertEqual(policy.dane, ())
        self.assertIs(policy.start, Start.REQUIRED)
        self.assertFalse(policy.allows_clear_text)
        self.assertIs(policy.verify, Verify.TRY)
        failure = self.refusal(hosts_require_dane="*")
        self.assertIn("records are not usable", failure.problem.text)
        self.assertEqual(failure.verdict.dane.result_type, "tlsa-invalid")

    def test_some_unusable(self) -> None:
        """Those of no use do not count beside others."""
        self.publish(UNUSABLE, OWN)

        self.assertEqual(self.policy().dane, (OWN,))


class AliasTests(RecordsCase):
    """Hosts whose name is an alias (RFC 7672, section 2.2.3)."""

    def alias(self, *, secure: bool = True) -> None:
        """Let the host's name be an alias."""
        answer = found("192.0.2.1", secure=secure, name="real.example")
        self.resolver.records["mx.example", "A"] = answer

    def test_behind(self) -> None:
        """The records of the name behind the alias go first."""
        self.alias()
        self.publish(ISSUER, at="_25._tcp.real.example")
        self.publish(OWN)

        policy = self.policy()

        self.assertEqual(policy.dane, (ISSUER,))
        self.assertEqual(policy.server_name, "real.example")
        self.assertEqual(
            policy.dane_names, ("real.example", "mx.example", "example.com")
        )
        self.assertEqual(self.asked, ["_25._tcp.real.example"])

    def test_before(self) -> None:
        """Without such the alias may have some of its own."""
        self.alias()
        self.publish(ISSUER)

        policy = self.policy()

        self.assertEqual(policy.server_name, "mx.example")
        self.assertEqual(policy.dane_names, ("mx.example", "example.com"))
        self.assertEqual(self.asked, ["_25._tcp.real.example", BASE])

    def test_not_now(self) -> None:
        """A failure behind the alias is not got around by the alias."""
        self.alias()
        self.publish(OWN)
        self.resolver.records["_25._tcp.real.example", "TLSA"] = Outcome.AGAIN

        self.refusal()

    def test_insecure(self) -> None:
        """An alias that is not authenticated is not followed."""
        self.alias(secure=False)
        self.publish(OWN)

        self.policy()

        self.assertEqual(self.asked, [BASE])


class SecureAliasTests(RecordsCase):
    """Aliases in signed zones of hosts in others (RFC 7672, section 2.2.2)."""

    HOST = Host("mx.example", "192.0.2.1", 25, 10, mx_secure=True)

    def setUp(self) -> None:
        super().setUp()
        answer = found("192.0.2.1", secure=False, name="real.example")
        self.resolver.records["mx.example", "A"] = answer
        self.resolver.records["mx.example", "CNAME"] = found("real.example")
        self.publish(OWN)
        self.publish(ISSUER, at="_25._tcp.real.example")

    def test_secure(self) -> None:
        """The records of the alias hold, those behind it do not."""
        policy = self.policy(self.HOST, hosts_require_dane="*")

        self.assertEqual(policy.dane, (OWN,))
        self.assertEqual(policy.server_name, "mx.example")
        self.assertEqual(self.asked, [BASE])

    def test_insecure(self) -> None:
        """An alias that is not authenticated itself has none."""
        self.resolver.records["mx.example", "CNAME"] = found(
            "real.example", secure=False
        )

        self.assertIs(self.decide(self.HOST), self.before)
        self.assertEqual(self.asked, [])

    def test_not_now(self) -> None:
        """Where it cannot be found out whether it is, the host must wait."""
        self.resolver.records["mx.example", "CNAME"] = Outcome.AGAIN

        failure = self.refusal(self.HOST)

        self.assertEqual(failure.problem.text, "DANE error: tlsa lookup DEFER")

    def test_insecure_domain(self) -> None:
        """A name that an insecure MX record gives is anybody's."""
        host = replace(self.HOST, mx_secure=False)

        self.assertIs(self.decide(host), self.before)
        self.assertEqual(self.resolver.asked, [])

    def test_own_name(self) -> None:
        """A host that no MX record names is the domain itself, or configured."""
        host = replace(self.HOST, preference=-1, mx_secure=False)

        self.assertEqual(self.policy(host).dane, (OWN,))

    def test_unasked(self) -> None:
        """Where DNSSEC does not matter, that of aliases does not either."""
        host = replace(self.HOST, preference=-1, mx_secure=False, unasked=True)

        self.assertIs(self.decide(host), self.before)
        self.assertEqual(self.resolver.asked, [])

    def test_no_alias(self) -> None:
        """A host with an insecure address of its own has none."""
        self.resolver.records["mx.example", "A"] = found("192.0.2.1", secure=False)

        self.assertIs(self.decide(self.HOST), self.before)
        self.assertEqual(self.asked, [])


class PolicyTests(RecordsCase):
    """What records make of the other options."""

    def test_overruled(self) -> None:
        """All that is about authorities and names is overruled, and SNI is sent."""
        self.publish(OWN)
        policy = self.policy(
            hosts_require_tls="",
            tls_verify_hosts="*",
            tls_verify_cert_hostnames="*",
            tls_verify_certificates="/nowhere",
            tls_crl="/nowhere",
            tls_crl_fetch="true",
            tls_sni="other.example",
            tls_certificate="/etc/own.pem",
        )

        self.assertEqual(
            policy,
            ClientTLSPolicy(
                Start.REQUIRED,
                Verify.NEVER,
                server_name="mx.example",
                certificate="/etc/own.pem",
                dane=(OWN,),
                dane_names=("mx.example",),
            ),
        )
        self.assertTrue(policy.demands_certificate)

    def test_never_clear(self) -> None:
        """Clear text is out of the question."""
        self.publish(OWN)

        for clear in ("true", "false"):
            settings = self.decide(tls_tempfail_tryclear=clear)
            self.assertFalse(settings.may_go_clear)
            self.assertTrue(settings.policy.demands_session)

    def test_implicit(self) -> None:
        """TLS from the start stays so."""
        self.publish(OWN)

        policy = self.policy(protocol="smtps")

        self.assertIs(policy.start, Start.ON_CONNECT)
        self.assertEqual(policy.dane, (OWN,))

    def test_avoided(self) -> None:
        """Where TLS is to be avoided and must not be, nothing is sent."""
        for record in (OWN, UNUSABLE):
            self.publish(record)

            failure = self.refusal(hosts_avoid_tls="*")

            self.assertEqual(failure.problem.number, TLS_REQUIRED)
            self.assertIn("hosts_avoid_tls", failure.problem.text)
            self.assertTrue(failure.verdict.dane.is_violated)

    def test_ciphers(self) -> None:
        """There are ciphers for this case; without, those for every case."""
        self.publish(OWN)
        for options, ciphers in (
            ({}, ""),
            ({"tls_require_ciphers": "A"}, "A"),
            ({"tls_require_ciphers": "A", "dane_require_tls_ciphers": "B"}, "B"),
            ({"tls_require_ciphers": "A", "dane_require_tls_ciphers": ""}, "A"),
            (
                {
                    "tls_require_ciphers": "A",
                    "dane_require_tls_ciphers": "${if eq{a}{b}{B}fail}",
                },
                "A",
            ),
        ):
            self.assertEqual(self.policy(**options).ciphers, ciphers)

    def test_names(self) -> None:
        """The domain is a name, too, where it is one, and an issuer is published."""
        self.publish(ISSUER)

        self.assertEqual(self.policy().dane_names, ("mx.example", "example.com"))
        two = self.context("example.com", "example.net")
        self.assertEqual(self.policy(context=two).dane_names, ("mx.example",))
        named = Host("mx.example", "192.0.2.1", 25, secure=True)
        self.assertEqual(self.policy(named).dane_names, ("mx.example",))
        self.publish(OWN)
        self.assertEqual(self.policy().dane_names, ("mx.example",))

    def test_order(self) -> None:
        """The order of records is of no account: connections are shared."""
        self.publish(OWN, ISSUER)
        first = self.policy()
        self.publish(ISSUER, OWN)

        self.assertEqual(self.policy(), first)
        self.assertEqual(hash(self.policy()), hash(first))


class StapleTests(RecordsCase):
    """OCSP responses beside TLSA records."""

    def staple(self, *records: TLSA, **options: str) -> Staple:
        """Return whether a staple is wanted of a host with records."""
        self.publish(*records)
        return self.policy(**options).staple

    def test_default(self) -> None:
        """By default only hosts are asked that publish who issues for them."""
        self.assertIs(self.staple(ISSUER), Staple.REQUEST)
        self.assertIs(self.staple(OWN), Staple.UNWANTED)
        self.assertIs(self.staple(OWN, ISSUER), Staple.UNWANTED)

    def test_own_list(self) -> None:
        """Any other list means what it says."""
        for text in ("mx.example", "192.0.2.1", "! 192.0.2.77 : *"):
            self.assertIs(self.staple(OWN, hosts_request_ocsp=text), Staple.REQUEST)
        self.assertIs(self.staple(ISSUER, hosts_request_ocsp=""), Staple.UNWANTED)

    def test_required(self) -> None:
        """What is required is required of whatever usage."""
        for record in (OWN, ISSUER):
            self.assertIs(self.staple(record, hosts_require_ocsp="*"), Staple.REQUIRE)

    def test_variable(self) -> None:
        """Lists that speak of the usages are read again when these are known."""
        text = "${if eq{$tls_out_tlsa_usage}{8}{*}{}}"

        self.assertIs(self.staple(OWN, hosts_request_ocsp=text), Staple.REQUEST)
        self.assertIs(self.staple(ISSUER, hosts_request_ocsp=text), Staple.UNWANTED)
        self.assertIs(self.staple(OWN, hosts_require_ocsp=text), Staple.REQUIRE)
        self.assertIs(self.staple(ISSUER, hosts_require_ocsp=text), Staple.REQUEST)
