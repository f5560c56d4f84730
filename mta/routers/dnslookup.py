"""The dnslookup router (Exim chapter 17)."""

from __future__ import annotations

from mta.errors import ForcedFailure
from mta.expand.context import Context
from mta.expand.option_types import DomainList, Expanded
from mta.host import Answer, Outcome
from mta.interfaces import ITemplate
from mta.options import Boolean, Option
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict, router
from mta.routers.dnssec import INSECURE, DNSSECOptions, is_in
from mta.routers.preconditions import is_true
from mta.routers.target_hosts import (
    INCOMPLETE,
    Family,
    HostFinder,
    HostSearch,
    route_to_self,
    timed_out,
    without_repetitions,
)

NO_HOSTS = "all relevant MX records point to non-existent hosts"


@router("dnslookup")
class DNSLookup(DNSSECOptions, Router):
    """Sends mail to the hosts that the DNS names for the domain."""

    check_secondary_mx = Option(
        Boolean, "false", "Decline unless this host is among the domain's mail hosts."
    )
    fail_defer_domains = Option(
        DomainList, None, "Domains without records, which may come to be, await retry."
    )
    ipv4_only = Option(Expanded, None, "Use IPv4 addresses alone where this is true.")
    ipv4_prefer = Option(
        Expanded, None, "Try IPv4 addresses before IPv6 where this is true."
    )
    mx_domains = Option(DomainList, None, "Domains that must have MX records.")
    mx_fail_domains = Option(
        DomainList, None, "Domains whose failing MX look-up means no MX records."
    )

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Look the domain's hosts up and accept, or say why there are none."""
        domain = address.domain
        if domain.startswith("["):
            return Decision(Verdict.DECLINE)
        search = await self._search(domain, context)
        if search.outcome is Outcome.AGAIN:
            return timed_out(self, search.text)
        if search.null_mx:
            return Decision(Verdict.FAIL, search.text)
        if search.outcome is not Outcome.FOUND:
            if await is_in(self.fail_defer_domains, domain, context):
                return Decision(Verdict.DEFER, search.text, error_name="lookup")
            return Decision(Verdict.DECLINE, search.text)
        if self.check_secondary_mx and not search.removed_self:
            return Decision(Verdict.DECLINE)
        found = without_repetitions(search.hosts)
        hosts = await self.secured(found, domain, context)
        if not hosts:
            return Decision(Verdict.DEFER, INSECURE, error_name="lookup")
        context.lookup_dnssec = hosts[0].lookup_dnssec
        if hosts[0].ip_address in context.site.local_addresses:
            decision = route_to_self(self, address, hosts[0])
            if decision is not None:
                return decision
        address.hosts = hosts
        return Decision(Verdict.ACCEPT)

    async def _search(self, domain: str, context: Context) -> HostSearch:
        family = Family(
            ipv4_only=await _is_on(self.ipv4_only, context),
            ipv4_first=await _is_on(self.ipv4_prefer, context),
        )
        finder = HostFinder(self, context, family)
        assert context.site.resolver is not None
        answer: Answer = await context.site.resolver.query(domain, "MX")
        if answer.outcome is Outcome.AGAIN:
            if not await is_in(self.mx_fail_domains, domain, context):
                return HostSearch(Outcome.AGAIN, text=INCOMPLETE)
        elif answer.outcome is Outcome.NO_DOMAIN:
            return HostSearch(Outcome.NO_DOMAIN)
        elif answer.outcome is Outcome.FOUND:
            search = await finder.by_mx(domain, answer)
            if search.outcome is Outcome.NO_DATA and not search.text:
                search.text = NO_HOSTS
            return search
        if await is_in(self.mx_domains, domain, context):
            return HostSearch(Outcome.NO_DATA)
        search = await finder.by_address(domain)
        if search.outcome is Outcome.AGAIN:
            search.text = INCOMPLETE
        return search


async def _is_on(template: ITemplate | None, context: Context) -> bool:
    if template is None:
        return False
    try:
        return is_true(await template.expand(context))
    except ForcedFailure:
        return False
