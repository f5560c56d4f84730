"""Main options about the history of TLS, and the reports that are made from it."""

from __future__ import annotations

from typing import Any

from mta.address import AddressError, parse_address
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

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.tls_rpt and not self.tls_results_keep:
            source = self.settings["tls_rpt"][-1].source
            raise source.error('"tls_rpt" needs a "tls_results_keep" of a day or more')
        constant = self.tls_rpt_from.constant
        if constant is not None:
            try:
                report_address(constant)
            except AddressError as error:
                source = self.settings["tls_rpt_from"][-1].source
                raise source.error(f'"tls_rpt_from": {error}') from error


def report_address(text: str) -> str:
    """Return the address that reports come from; raise AddressError."""
    address = parse_address(text.strip())
    if not address.domain or not address.text.isascii():
        raise AddressError(f'"{text.strip()}" is no address with a domain, in ASCII')
    return address.text
