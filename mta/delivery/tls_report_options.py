"""Main options about the history of TLS, and the reports that are made from it."""

from __future__ import annotations

from mta.expand.option_types import Expanded
from mta.options import Boolean, Configurable, Interval, Option


class TLSReportOptions(Configurable):
    """What is kept of the TLS of other hosts, and who is told of it."""

    tls_results_keep = Option(
        Interval,
        "30d",
        "How long it is remembered what hosts proved of their TLS, in whole days; 0 "
        "for nothing (an option of ours).",
    )
    tls_rpt = Option(
        Boolean,
        "false",
        "Send daily TLS reports to domains that ask for them, RFC 8460 (an option of "
        "ours).",
    )
    tls_rpt_from = Option(
        Expanded,
        "postmaster@$qualify_domain",
        "The address that TLS reports come from, and that answers questions about them "
        "(an option of ours).",
    )
