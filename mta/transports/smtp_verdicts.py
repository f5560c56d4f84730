"""Tell the history what TLS proved on the way of one batch."""

from __future__ import annotations

from collections.abc import Iterable

from mta.host import Host
from mta.interfaces import ITLSResults
from mta.message import Message
from mta.recipient import RoutedAddress
from mta.tls.verdict import TLSVerdict
from mta.transports.base import Batch
from mta.transports.smtp_connections import NOTHING_PROVED, Link

_REPORT_FIELD = b"TLS-Report-Domain:"


class VerdictNotes:
    """Counts connections and deliveries under the verdict of their connection.

    A connection counts once for each domain that used it.  What carries TLS reports is
    not counted (RFC 8460, section 3).
    """

    __slots__ = ("_results",)

    def __init__(self, batch: Batch) -> None:
        results: ITLSResults | None = batch.context.site.tls_results
        if results is not None and is_tls_report(batch.message):
            results = None
        self._results = results

    def failed(
        self, host: Host, addresses: Iterable[RoutedAddress], verdict: TLSVerdict
    ) -> set[str]:
        """Note a connection that failed over TLS; return the domains it counts for."""
        domains = _domains(host, addresses)
        if self._results is not None and verdict.tls.asked:
            for domain in domains:
                self._results.record(domain, verdict, sessions=1)
        return domains

    def begun(self, host: Host, addresses: Iterable[RoutedAddress], link: Link) -> None:
        """Note that messages for addresses go over a connection."""
        if link.verdict is NOTHING_PROVED:
            # TLS was not tried.
            link.verdict = TLSVerdict(
                host=host.name,
                ip_address=host.ip_address,
                local_address=link.local_address,
            )
        if self._results is None:
            return
        for domain in _domains(host, addresses) - link.counted_for:
            link.counted_for.add(domain)
            self._results.record(domain, link.verdict, sessions=1)

    def delivered(
        self, host: Host, addresses: Iterable[RoutedAddress], verdict: TLSVerdict
    ) -> None:
        """Note that a host took a message for addresses."""
        if self._results is not None:
            for domain in _domains(host, addresses):
                self._results.record(domain, verdict, deliveries=1)


def is_tls_report(message: Message) -> bool:
    """Return whether a message carries a TLS report, ours or another's."""
    return _REPORT_FIELD in message.header.content


def _domains(host: Host, addresses: Iterable[RoutedAddress]) -> set[str]:
    return {destination(host, address) for address in addresses}


def destination(host: Host, address: RoutedAddress) -> str:
    """Return the domain whose policies a host is under (RFC 8460, section 1.1).

    It is the domain whose MX record led an address to the host, and the host's own
    name where there was none: where a configuration names the host.
    """
    for routed in address.hosts:
        if routed.ip_address == host.ip_address and routed.name == host.name:
            return routed.mail_domain or host.name
    return host.name
