"""A TLS report as a message (RFC 8460, section 5.3)."""

from __future__ import annotations

from base64 import b64encode

from mta.delivery.dsn import one_line
from mta.delivery.tls_report import Reporter, TLSReport
from mta.transports.base import mail_date

MEDIA_TYPE = "application/tlsrpt+gzip"
LINE_OCTETS = 57


def file_name(report: TLSReport, reporter: Reporter) -> str:
    """Return the name of a report's file (RFC 8460, section 5.1)."""
    parts = (reporter.host_name, report.domain, str(report.start), str(report.end))
    return "!".join(parts) + ".json.gz"


def report_header(
    report: TLSReport, reporter: Reporter, recipient: str, now: float
) -> bytes:
    """Return the header section of a report's message, without trace fields.

    ``TLS-Required: No`` (RFC 8689) lets it through where TLS is what is broken.
    """
    lines = [
        f"From: {one_line(reporter.contact)}",
        f"To: {one_line(recipient)}",
        f"Subject: Report Domain: {report.domain}",
        f" Submitter: {reporter.host_name}",
        f" Report-ID: <{report.report_id}>",
        f"Date: {mail_date(now)}",
        f"Message-ID: <{report.report_id}>",
        f"TLS-Report-Domain: {report.domain}",
        f"TLS-Report-Submitter: {reporter.host_name}",
        "TLS-Required: No",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type="tlsrpt";',
        f' boundary="{_boundary(report)}"',
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def report_body(report: TLSReport, reporter: Reporter) -> bytes:
    """Return the body of a report's message: a sentence for people, and the report."""
    name = file_name(report, reporter)
    day = report.content["date-range"]["start-datetime"][:10]
    boundary = _boundary(report)
    lines = [
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"This is an aggregate TLS report from {reporter.host_name} on the",
        f"connections that were made for {report.domain}",
        f"on {day} (UTC).",
        "",
        f"--{boundary}",
        f"Content-Type: {MEDIA_TYPE}",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;",
        f' filename="{name}"',
        "",
    ]
    octets = report.compressed()
    for start in range(0, len(octets), LINE_OCTETS):
        lines.append(b64encode(octets[start : start + LINE_OCTETS]).decode("ascii"))
    lines += ["", f"--{boundary}--"]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def _boundary(report: TLSReport) -> str:
    """Return what separates the parts; base64 and plain words have no ``=_``."""
    return f"=_{report.report_id.partition('@')[0]}"
