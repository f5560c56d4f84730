"""Tests for mta.delivery.tls_report."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report import Reporter, TLSReport, make_report
from mta.delivery.tls_results import TLSResult
from mta.tls.verdict import (
    PublishedPolicy,
    TLSVerdict,
    absent,
    met,
    unmet,
)

# 1 April 2016, the day of the RFC's example.
DAY = 16892
REPORTER = Reporter("Company-X", "mail.company-x.example", "sts@company-x.example")
STS = PublishedPolicy(
    "sts",
    "company-y.example",
    (
        "version: STSv1",
        "mode: testing",
        "mx: *.mail.company-y.example",
        "max_age: 86400",
    ),
    ("*.mail.company-y.example",),
)
TLSA = PublishedPolicy("tlsa", "mx1.company-y.example", ("3 0 1 1F850A337E6DB9C6",))


def result(verdict: TLSVerdict, sessions: int = 1, deliveries: int = 0) -> TLSResult:
    """Return a result of the day."""
    return TLSResult(DAY, "company-y.example", verdict, sessions, deliveries, 0.0)


def report(*results: TLSResult) -> TLSReport:
    """Return the report on results."""
    made = make_report("company-y.example", DAY, results, REPORTER)
    assert made is not None
    return made


def policies(*results: TLSResult) -> list[dict[str, Any]]:
    """Return the policies that a report on results has."""
    found: list[dict[str, Any]] = report(*results).content["policies"]
    return found


def kinds(*results: TLSResult) -> list[tuple[str, int, int]]:
    """Return type, successes and failures of each policy."""
    return [
        (
            one["policy"]["policy-type"],
            one["summary"]["total-successful-session-count"],
            one["summary"]["total-failure-session-count"],
        )
        for one in policies(*results)
    ]


def reasons(*results: TLSResult) -> list[str]:
    """Return the result types of the details of the first policy."""
    [first] = policies(*results)
    return [detail["result-type"] for detail in first.get("failure-details", [])]


class StructureTests(SynchronousTestCase):
    """The example of RFC 8460, appendix B, made from results."""

    def test_example(self) -> None:
        """Every field has the name, the place and the form of the RFC's example."""
        good = TLSVerdict(
            host="mx1.mail.company-y.example", tls=met(), sts=met(), policies=(STS,)
        )
        expired = TLSVerdict(
            host="mx1.mail.company-y.example",
            local_address="2001:db8:abcd:12::1",
            tls=met(),
            chain=unmet("certificate has expired"),
            sts=unmet("the certificate is not verified"),
            policies=(STS,),
        )
        clear = TLSVerdict(
            host="mx2.mail.company-y.example",
            ip_address="203.0.113.56",
            local_address="2001:db8:abcd:13::1",
            tls=unmet("the server did not offer TLS support"),
            sts=unmet("no TLS"),
            policies=(STS,),
        )
        other = TLSVerdict(
            host="mx-backup.mail.company-y.example",
            ip_address="203.0.113.58",
            local_address="198.51.100.62",
            helo="backup",
            tls=unmet("X509_V_ERR_PROXY", result_type="validation-failure"),
            sts=unmet("no TLS"),
            policies=(STS,),
        )

        made = report(
            result(good, 5326),
            result(expired, 100),
            result(clear, 200),
            result(other, 3),
        )

        self.assertEqual(
            made.content,
            {
                "organization-name": "Company-X",
                "date-range": {
                    "start-datetime": "2016-04-01T00:00:00Z",
                    "end-datetime": "2016-04-01T23:59:59Z",
                },
                "contact-info": "sts@company-x.example",
                "report-id": made.report_id,
                "policies": [
                    {
                        "policy": {
                            "policy-type": "sts",
                            "policy-string": list(STS.strings),
                            "policy-domain": "company-y.example",
                            "mx-host": ["*.mail.company-y.example"],
                        },
                        "summary": {
                            "total-successful-session-count": 5326,
                            "total-failure-session-count": 303,
                        },
                        "failure-details": [
                            {
                                "result-type": "certificate-expired",
                                "sending-mta-ip": "2001:db8:abcd:12::1",
                                "receiving-mx-hostname": "mx1.mail.company-y.example",
                                "failed-session-count": 100,
                                "failure-reason-code": "certificate has expired",
                            },
                            {
                                "result-type": "starttls-not-supported",
                                "sending-mta-ip": "2001:db8:abcd:13::1",
                                "receiving-mx-hostname": "mx2.mail.company-y.example",
                                "receiving-ip": "203.0.113.56",
                                "failed-session-count": 200,
                                "failure-reason-code": (
                                    "the server did not offer TLS support"
                                ),
                            },
                            {
                                "result-type": "validation-failure",
                                "sending-mta-ip": "198.51.100.62",
                                "receiving-mx-hostname": (
                                    "mx-backup.mail.company-y.example"
                                ),
                                "receiving-mx-helo": "backup",
                                "receiving-ip": "203.0.113.58",
                                "failed-session-count": 3,
                                "failure-reason-code": "X509_V_ERR_PROXY",
                            },
                        ],
                    }
                ],
            },
        )

    def test_compressed(self) -> None:
        """Compressed it is the JSON, in the same octets each time it is made."""
        made = report(result(TLSVerdict(tls=met(), helo="b\udcfc\xe9")))
        again = report(result(TLSVerdict(tls=met(), helo="b\udcfc\xe9")))

        self.assertEqual(made.compressed(), again.compressed())
        self.assertEqual(json.loads(gzip.decompress(made.compressed())), made.content)

    def test_identifier(self) -> None:
        """The identifier tells domain, day and reporter apart, and nothing else."""
        one = result(TLSVerdict(tls=met()))
        other = make_report("other.example", DAY, [one], REPORTER)
        later = make_report("company-y.example", DAY + 1, [one], REPORTER)
        made = report(one)
        assert other is not None
        assert later is not None

        self.assertEqual(made.report_id, report(one, one).report_id)
        self.assertEqual(len({made.report_id, other.report_id, later.report_id}), 3)
        self.assertTrue(made.report_id.endswith("@mail.company-x.example"))

    def test_nothing_to_tell(self) -> None:
        """Without sessions, or where TLS was not tried, there is no report."""
        avoided = TLSVerdict(host="mx.example")

        self.assertIsNone(make_report("a.example", DAY, [], REPORTER))
        self.assertIsNone(make_report("a.example", DAY, [result(avoided)], REPORTER))
        reused = result(TLSVerdict(tls=met()), 0, 5)
        self.assertIsNone(make_report("a.example", DAY, [reused], REPORTER))

    def test_merged_details(self) -> None:
        """What differs in nothing that is reported is one detail."""
        failed = TLSVerdict(host="mx", tls=unmet("refused"))
        [policy] = policies(
            result(failed, 2), result(failed.having(ocsp=absent("none came")), 3)
        )

        [detail] = policy["failure-details"]
        self.assertEqual(detail["failed-session-count"], 5)

    def test_strange_text(self) -> None:
        """What a host said goes into JSON as text that every reader can have."""
        verdict = TLSVerdict(helo="b\udcfcx", tls=unmet("a\udcff"))
        [policy] = policies(result(verdict))

        [detail] = policy["failure-details"]
        self.assertEqual(detail["receiving-mx-helo"], "b?x")
        self.assertEqual(detail["failure-reason-code"], "a?")


class PolicyTests(SynchronousTestCase):
    """Under which policy sessions are counted, and as what."""

    def test_no_policy(self) -> None:
        """Without a policy TLS is a success, and its absence a failure."""
        unverified = TLSVerdict(tls=met(), chain=unmet("self-signed certificate"))
        clear = TLSVerdict(tls=unmet("not offered"))

        self.assertEqual(
            kinds(result(unverified, 2), result(clear, 3)), [("no-policy-found", 2, 3)]
        )
        [policy] = policies(result(clear))
        self.assertEqual(
            policy["policy"],
            {"policy-type": "no-policy-found", "policy-domain": "company-y.example"},
        )

    def test_our_own_demand(self) -> None:
        """A session that ended since we demand more has failed."""
        verdict = TLSVerdict(tls=met(), chain=unmet("self-signed", required=True))

        self.assertEqual(kinds(result(verdict)), [("no-policy-found", 0, 1)])
        self.assertEqual(reasons(result(verdict)), ["certificate-not-trusted"])

    def test_dane(self) -> None:
        """DANE's verdict counts for TLSA records, whatever CAs say of the chain."""
        good = TLSVerdict(
            tls=met(required=True),
            chain=unmet("self-signed"),
            dane=met(required=True),
            policies=(TLSA,),
        )
        bad = good.having(dane=unmet("no record matches", required=True))

        self.assertEqual(kinds(result(good, 4), result(bad)), [("tlsa", 4, 1)])
        self.assertEqual(reasons(result(bad)), ["validation-failure"])
        [policy] = policies(result(good))
        self.assertEqual(
            policy["policy"],
            {
                "policy-type": "tlsa",
                "policy-string": ["3 0 1 1F850A337E6DB9C6"],
                "policy-domain": "mx1.company-y.example",
            },
        )

    def test_dane_before_sts(self) -> None:
        """Where a domain has both, sessions are counted under DANE."""
        verdict = TLSVerdict(tls=met(), dane=met(), policies=(STS, TLSA))

        self.assertEqual(kinds(result(verdict)), [("tlsa", 1, 0)])

    def test_policies_apart(self) -> None:
        """Each policy has its own counts."""
        under_sts = TLSVerdict(tls=met(), sts=met(), policies=(STS,))

        self.assertEqual(
            kinds(result(under_sts), result(TLSVerdict(tls=met()), 2)),
            [("sts", 1, 0), ("no-policy-found", 2, 0)],
        )

    def test_own_words(self) -> None:
        """What only DANE or MTA-STS can say is said in the RFC's word for it."""
        fetch = TLSVerdict(
            tls=met(), sts=absent("no route", result_type="sts-policy-fetch-error")
        )
        records = TLSVerdict(
            tls=met(),
            dane=unmet("usage 9", result_type="tlsa-invalid"),
            policies=(TLSA,),
        )

        self.assertEqual(reasons(result(fetch)), ["sts-policy-fetch-error"])
        self.assertEqual(reasons(result(records)), ["tlsa-invalid"])

    def test_lost_policies(self) -> None:
        """A policy that could not be had is named by its kind, without its text."""
        for word in ("fetch-error", "invalid"):
            check = absent("404", result_type=f"sts-policy-{word}")

            [policy] = policies(result(TLSVerdict(tls=met(), sts=check)))

            self.assertEqual(
                policy["policy"],
                {"policy-type": "sts", "policy-domain": "company-y.example"},
            )
        for word, kind in (
            ("tlsa-invalid", "tlsa"),
            ("dnssec-invalid", "tlsa"),
            ("dane-required", "no-policy-found"),
        ):
            check = unmet("nothing", required=True, result_type=word)

            found = result(TLSVerdict(tls=absent("", required=True), dane=check))

            self.assertEqual(kinds(found), [(kind, 0, 1)])
            self.assertEqual(reasons(found), [word])

    def test_reasons(self) -> None:
        """The cause of a failure is told before its consequence."""
        base = TLSVerdict(
            tls=met(), chain=met(), name=met(), sts=unmet("see above"), policies=(STS,)
        )
        for changes, expected in (
            ({"name": unmet("mismatch")}, "certificate-host-mismatch"),
            ({"chain": unmet("certificate has expired")}, "certificate-expired"),
            ({"chain": unmet("self-signed")}, "certificate-not-trusted"),
            ({"ocsp": unmet("revoked", required=True)}, "validation-failure"),
            ({"tls": unmet("none")}, "starttls-not-supported"),
            ({}, "validation-failure"),
        ):
            verdict = base.having(**changes)

            self.assertEqual(reasons(result(verdict)), [expected])

    def test_requiretls(self) -> None:
        """What a message alone asked for is no failure of its receiver."""
        verdict = TLSVerdict(tls=met(), requiretls=unmet("not offered", required=True))

        self.assertEqual(kinds(result(verdict)), [("no-policy-found", 1, 0)])

    def test_our_own_refusal(self) -> None:
        """A host that we did not connect to is not said to lack STARTTLS."""
        verdict = TLSVerdict(
            tls=absent("no connection was made", required=True),
            sts=unmet("TLS is not to be used with it", required=True),
            policies=(STS,),
        )

        self.assertEqual(reasons(result(verdict)), ["validation-failure"])
