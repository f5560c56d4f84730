"""How far the hosts that a router finds must be vouched for by DNSSEC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mta.expand.context import Context
from mta.expand.option_types import DomainList, SubjectList
from mta.host import Host
from mta.options import Configurable, Option

INSECURE = "host lookup done insecurely"


class DNSSECOptions(Configurable):
    """Whether hosts may, or must, come from authenticated records."""

    dnssec_request_domains = Option(
        DomainList, "*", "Domains whose records may count as authenticated by DNSSEC."
    )
    dnssec_require_domains = Option(
        DomainList, None, "Domains whose records must be authenticated by DNSSEC."
    )

    async def secured(
        self, hosts: Sequence[Host], domain: str, context: Context
    ) -> list[Host]:
        """Return the hosts to try: those that are as secure as the options want.

        A host that is given by its IP address has no records to vouch for.
        """
        if await is_in(self.dnssec_require_domains, domain, context):
            return [host for host in hosts if host.secure or is_literal(host)]
        if await is_in(self.dnssec_request_domains, domain, context):
            return list(hosts)
        return [
            replace(host, secure=False, mx_secure=False, unasked=True) for host in hosts
        ]


def is_literal(host: Host) -> bool:
    """Return whether a host has no name but its IP address."""
    return host.name == host.ip_address


async def is_in(domains: SubjectList | None, domain: str, context: Context) -> bool:
    """Return whether a domain is in a list; none is in a list that is not set."""
    return domains is not None and await domains.match(domain, context) is not None
