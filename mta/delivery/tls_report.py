"""What one domain is told of the TLS of its hosts on one day (RFC 8460, section 4)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from mta.delivery.tls_results import DAY_SECONDS, TLSResult
from mta.tls.verdict import Check, PublishedPolicy, TLSVerdict, result_type_of

NO_POLICY = "no-policy-found"
NO_STARTTLS = "starttls-not-supported"
DETAILS_LIMIT = 1000

# Which checks tell why a session was no success, most telling first.  What tells
# nothing against the policy of a domain is not told to it.
_TELLING = {
    "sts": ("chain", "name", "ocsp", "crl", "tls", "sts"),
    "tlsa": ("dane", "ocsp", "crl", "tls"),
    NO_POLICY: ("chain", "name", "ocsp", "crl", "tls", "dane", "sts"),
}
_POLICY_CHECKS = {"sts": ("sts",), "tlsa": ("dane",)}
# The words for policies that a domain has announced, and that cannot be used.
_LOST_RECORDS = ("tlsa-invalid", "dnssec-invalid")
_LOST_POLICY = ("sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: an organization, its host, and an address for questions."""

    organization: str
    host_name: str
    contact: str


@dataclass(frozen=True, slots=True)
class TLSReport:
    """A report to one domain.

    ``report_id`` is the same whenever the report is made, so that a receiver can tell
    a repeated one.
    """

    domain: str
    day: int
    report_id: str
    content: dict[str, Any]

    @property
    def start(self) -> int:
        """The first second that it is about."""
        return self.day * DAY_SECONDS

    @property
    def end(self) -> int:
        """The last second that it is about."""
        return self.start + DAY_SECONDS - 1

    def compressed(self) -> bytes:
        """Return the report as ``application/tlsrpt+gzip``; equal for equal reports."""
        text = json.dumps(self.content, indent=1)
        return gzip.compress(text.encode("ascii"), mtime=self.end)


def make_report(
    domain: str, day: int, results: Iterable[TLSResult], reporter: Reporter
) -> TLSReport | None:
    """Return the report on a domain's results of a day; None with nothing to tell."""
    groups: dict[PublishedPolicy, _Group] = {}
    for result in results:
        for policy in _policies(domain, result):
            groups.setdefault(policy, _Group(policy)).add(result)
    if not groups:
        return None
    report_id = _report_id(domain, day, reporter)
    content = {
        "organization-name": reporter.organization,
        "date-range": {
            "start-datetime": _date(day * DAY_SECONDS),
            "end-datetime": _date((day + 1) * DAY_SECONDS - 1),
        },
        "contact-info": reporter.contact,
        "report-id": report_id,
        "policies": [group.to_json() for group in groups.values()],
    }
    return TLSReport(domain, day, report_id, content)


def _report_id(domain: str, day: int, reporter: Reporter) -> str:
    digest = sha256(f"{day}\0{domain}\0{reporter.host_name}".encode()).hexdigest()
    return f"{_date(day * DAY_SECONDS)[:10]}.{digest[:24]}@{reporter.host_name}"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _policies(domain: str, result: TLSResult) -> Sequence[PublishedPolicy]:
    """Return the policies that sessions are counted under: DANE's before MTA-STS's.

    Sessions for which TLS was not tried, or that were none, are not counted.
    """
    verdict = result.verdict
    if not result.sessions or not verdict.tls.asked:
        return ()
    policies = verdict.policies
    return (
        [policy for policy in policies if policy.kind == "tlsa"]
        or [policy for policy in policies if policy.kind == "sts"]
        or [PublishedPolicy(_kind_of_missing(verdict), domain)]
    )


def _kind_of_missing(verdict: TLSVerdict) -> str:
    """Return which kind of policy is there though it could not be had, or none."""
    if verdict.dane.met is not True and verdict.dane.result_type in _LOST_RECORDS:
        return "tlsa"
    if verdict.sts.met is not True and verdict.sts.result_type in _LOST_POLICY:
        return "sts"
    return NO_POLICY


class _Group:
    """The sessions under one policy."""

    def __init__(self, policy: PublishedPolicy) -> None:
        self._policy = policy
        self._successes = 0
        self._failures = 0
        self._details: dict[tuple[str, ...], int] = {}

    def add(self, result: TLSResult) -> None:
        """Count the sessions of one verdict."""
        failure = _failure(result.verdict, self._policy.kind)
        if failure is None:
            self._successes += result.sessions
            return
        self._failures += result.sessions
        name, check = failure
        verdict = result.verdict
        key = (
            result_type_of(name, check),
            verdict.local_address,
            verdict.host,
            verdict.helo,
            verdict.ip_address,
            check.reason,
        )
        self._details[key] = self._details.get(key, 0) + result.sessions

    def to_json(self) -> dict[str, Any]:
        """Return an element of ``policies``."""
        value: dict[str, Any] = {
            "policy": self._policy_to_json(),
            "summary": {
                "total-successful-session-count": self._successes,
                "total-failure-session-count": self._failures,
            },
        }
        if self._details:
            details = sorted(self._details.items())[:DETAILS_LIMIT]
            value["failure-details"] = [_detail(*detail) for detail in details]
        return value

    def _policy_to_json(self) -> dict[str, Any]:
        policy = self._policy
        value: dict[str, Any] = {"policy-type": policy.kind}
        if policy.strings:
            value["policy-string"] = list(policy.strings)
        value["policy-domain"] = policy.domain
        if policy.mx_patterns:
            value["mx-host"] = list(policy.mx_patterns)
        return value


def _failure(verdict: TLSVerdict, kind: str) -> tuple[str, Check] | None:
    """Return the check that tells best why sessions failed; None where they did not.

    They did where a policy could not be had or is not met, where something that was
    required is missing, and where there was no TLS.  What a message alone asked for
    (RFC 8689) is no failure of its receiver.
    """
    broken = [name for name, _ in verdict.violations if name != "requiretls"]
    has_failed = verdict.tls.met is not True or bool(broken)
    for name in _POLICY_CHECKS.get(kind, ("dane", "sts")):
        check: Check = getattr(verdict, name)
        if check.met is not True and check.result_type:
            return name, check
        has_failed = has_failed or (check.has_failed and kind != NO_POLICY)
    if not has_failed:
        return None
    if verdict.tls.has_failed and result_type_of("tls", verdict.tls) == NO_STARTTLS:
        return "tls", verdict.tls
    for name in _TELLING.get(kind, _TELLING[NO_POLICY]):
        check = getattr(verdict, name)
        if check.has_failed or (check.is_violated and name != "tls"):
            return name, check
    return "tls", verdict.tls


def _detail(key: tuple[str, ...], count: int) -> dict[str, Any]:
    result_type, local_address, host, helo, ip_address, reason = key
    fields = {
        "sending-mta-ip": local_address,
        "receiving-mx-hostname": host,
        "receiving-mx-helo": helo,
        "receiving-ip": ip_address,
    }
    value: dict[str, Any] = {"result-type": result_type}
    value |= {name: _sendable(text) for name, text in fields.items() if text}
    value["failed-session-count"] = count
    if reason:
        value["failure-reason-code"] = _sendable(reason)
    return value


def _sendable(text: str) -> str:
    """Return a text that JSON for others may hold: octets that are no text are gone."""
    return text.encode("utf-8", "replace").decode()
