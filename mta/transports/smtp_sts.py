"""The MTA-STS policies of the domains that an smtp transport delivers to (RFC 8461)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mta.errors import TemporaryFailure
from mta.expand.context import Context, Site
from mta.expand.option_types import Expanded, HostList
from mta.host import Host
from mta.options import Configurable, Option, Source
from mta.recipient import RoutedAddress
from mta.taint import untainted
from mta.tls.policy import Start, STSDemand, Verify
from mta.tls.sts import Mode, Policy, is_domain
from mta.tls.verdict import Check, PublishedPolicy, TLSVerdict, absent, unmet
from mta.transports.base import Batch
from mta.transports.smtp_choices import expanded, is_empty, matches
from mta.transports.smtp_hosts import ascii_name
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import TLS_FAILURE, TLS_REQUIRED, Problem, Scope

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from mta.tls.sts_cache import Finding, PolicyCache
    from mta.tls.sts_fetch import PolicyFetcher

REFRESH_INTERVAL = 3600.0
REFRESH_LIMIT = 50


class _PortNumber:
    name = "port number"

    def parse(self, text: str, source: Source) -> int:
        number = text.strip()
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
            raise source.error(f'"{text}" is not the number of a port')
        return int(number)


class STSOptions(Configurable):
    """How the policies of other domains are found, and which hosts they concern."""

    protocol: str
    hosts_override: bool

    hosts_mta_sts = Option(
        HostList, "*", "Hosts that are held against their domain's MTA-STS policy."
    )
    mta_sts_certificates = Option(
        Expanded,
        "system",
        "Certificates to trust where policies are fetched: system, a file or a "
        "directory.",
    )
    mta_sts_port = Option(
        _PortNumber(), "443", "The port of policy hosts; another one is for tests."
    )


class PublishedPolicies:
    """Holds the hosts of one transport against the policies of their domains."""

    def __init__(self, options: STSOptions, reactor: Any) -> None:
        self._options = options
        self._reactor = reactor
        self._known: PolicyCache | None = None
        self._timer: Any = None
        self._round: Deferred[Any] | None = None
        self._is_closed = False
        self._log: Callable[[str], None] = lambda text: None

    async def parts(self, batch: Batch) -> list[Batch]:
        """Return the batch in parts whose addresses are under the same policies.

        The hosts are the same for all, the domains that name them need not be.
        """
        options = self._options
        if len(batch.addresses) == 1 or options.hosts_override:
            return [batch]
        named = [_mail_domains(address) for address in batch.addresses]
        if len(set(named)) == 1 or not self._applies(batch.context):
            return [batch]
        groups: dict[frozenset[str], list[RoutedAddress]] = {}
        for address, domains in zip(batch.addresses, named, strict=True):
            telling = [d for d in domains if await self._has_policy(d, batch.context)]
            groups.setdefault(frozenset(telling), []).append(address)
        if len(groups) == 1:
            return [batch]
        return [_part(batch, addresses) for addresses in groups.values()]

    async def _has_policy(self, domain: str, context: Context) -> bool:
        """Return whether a domain has a policy of its own, or one that is not known."""
        try:
            finding = await (await self._cache(context.site)).find(domain)
        except TemporaryFailure:
            return True
        return bool(finding.fault) or _is_active(finding)

    async def demanded(self, settings: HostSettings, context: Context) -> HostSettings:
        """Return how to speak to a host under the policy of its domain.

        Raises HostProblem where it may get nothing, TemporaryFailure where the policy
        cannot be told.
        """
        domain = policy_domain(settings.host)
        # RFC 8461, section 2: TLSA records come first, met or not.
        if not domain or settings.policy.dane or not self._applies(context):
            return settings
        if not await matches(self._options.hosts_mta_sts, settings.host, context):
            return settings
        finding = await (await self._cache(context.site)).find(domain)
        if finding.policy is None or not finding.policy.is_active:
            if finding.fault:
                check = absent(finding.fault, result_type=finding.result_type)
                return replace(settings, sts=check)
            return settings
        return held_against(settings, domain, finding.policy)

    def _applies(self, context: Context) -> bool:
        """Return whether policies matter to a message at all (RFC 8689, section 5)."""
        message = context.message
        return (
            self._options.protocol != "lmtp"
            and not is_empty(self._options.hosts_mta_sts)
            and context.site.resolver is not None
            and not (message is not None and message.tls_optional)
        )

    async def _cache(self, site: Site) -> PolicyCache:
        if self._known is None:
            # Start-up time: only who delivers needs it.
            from mta.tls.sts_cache import PolicyCache  # noqa: PLC0415

            assert site.resolver is not None, "_applies has looked"
            if site.logs is not None:
                self._log = site.logs.main
            self._known = PolicyCache(
                resolver=site.resolver,
                reactor=self._reactor,
                fetch=await self._fetching(site),
                hints=site.hints,
                clock=site.clock,
                log=self._log,
            )
            if not self._is_closed:
                self._await_round()
        return self._known

    async def _fetching(self, site: Site) -> Callable[[str], Awaitable[bytes]]:
        """Return what fetches policy files, made when the first is wanted."""
        options, reactor = self._options, self._reactor
        trusted = await expanded(options.mta_sts_certificates, Context(site))
        certificates = untainted(trusted, "mta_sts_certificates") or "system"
        fetchers: list[PolicyFetcher] = []

        async def fetch(domain: str) -> bytes:
            if not fetchers:
                # It loads Twisted's web client.
                from mta.tls.sts_fetch import PolicyFetcher  # noqa: PLC0415

                assert site.resolver is not None
                fetchers.append(
                    PolicyFetcher(
                        reactor,
                        site.resolver,
                        certificates=certificates,
                        port=options.mta_sts_port,
                    )
                )
            return await fetchers[0].fetch(domain)

        return fetch

    def _await_round(self) -> None:
        self._timer = self._reactor.callLater(REFRESH_INTERVAL, self._begin_round)

    def _begin_round(self) -> None:
        """Renew policies before they expire (RFC 8461, section 10.2)."""
        from twisted.internet.defer import Deferred  # noqa: PLC0415

        assert self._known is not None
        self._timer = None
        self._round = Deferred.fromCoroutine(self._known.refresh(REFRESH_LIMIT))
        self._round.addBoth(self._end_round)

    def _end_round(self, result: Any) -> None:
        self._round = None
        if self._is_closed:
            return
        if not isinstance(result, int):
            self._log(f"MTA-STS policies not renewed: {result.value}")
        self._await_round()

    def close(self) -> None:
        """Renew no more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is not None:
            self._round.cancel()
        if self._known is not None:
            self._known.close()


def held_against(settings: HostSettings, domain: str, policy: Policy) -> HostSettings:
    """Return how to speak to a host under a policy; raise HostProblem if not at all."""
    host, tls = settings.host, settings.policy
    is_enforced = policy.mode is Mode.ENFORCE
    published = PublishedPolicy("sts", domain, policy.lines, policy.mx)
    settings = replace(settings, sts_policy=published)
    if not policy.allows(ascii_name(host.name)):
        reason = f"{host.name} is not among the hosts of {domain}'s MTA-STS policy"
        check = unmet(reason, required=is_enforced, result_type="validation-failure")
        if is_enforced:
            raise _refusal(settings, check)
        return replace(settings, sts=check)
    if not is_enforced:
        if tls.verify is Verify.NEVER and tls.start is not Start.NEVER:
            # To be able to tell what would have come of it.
            tls = replace(tls, verify=Verify.TRY)
    elif tls.start is Start.NEVER:
        reason = (
            f"TLS is not to be used with it, but {domain}'s MTA-STS policy demands it"
        )
        raise _refusal(settings, unmet(reason, required=True))
    else:
        start = Start.REQUIRED if tls.start is Start.OFFERED else tls.start
        tls = replace(tls, start=start, verify=Verify.REQUIRE, name=host.name)
    demand = STSDemand(host.name, is_enforced)
    # RFC 8461, section 7.1: the MX name is what is sent.
    return replace(settings, policy=replace(tls, server_name=host.name, sts=demand))


def _refusal(settings: HostSettings, check: Check) -> HostProblem:
    """Return why a host is not even connected to."""
    host = settings.host
    verdict = TLSVerdict(
        host=host.name,
        ip_address=host.ip_address,
        tls=absent("no connection was made", required=True),
        sts=check,
        policies=(settings.sts_policy,) if settings.sts_policy else (),
    )
    text = f"a TLS session is required, but {check.reason}"
    problem = Problem(Scope.RECIPIENT, text, TLS_REQUIRED, "tls_required", "4.7.5")
    return HostProblem(problem, verdict)


def under_policy(failure: HostProblem, settings: HostSettings) -> HostProblem:
    """Return a failure as it concerns the domain whose policy a host is under.

    Where the policy is enforced no hint is kept for the host: for other domains it may
    do.
    """
    problem, demand = failure.problem, settings.policy.sts
    is_of_tls = problem.number in (TLS_FAILURE, TLS_REQUIRED)
    if is_of_tls and demand is not None and demand.is_enforced:
        whose = settings.sts_policy.domain if settings.sts_policy else demand.name
        text = f"{problem.text} (MTA-STS policy of {whose})"
        problem = replace(problem, text=text, scope=Scope.RECIPIENT)
    return HostProblem(problem, settings.stamped(failure.verdict))


def policy_domain(host: Host) -> str:
    """Return the domain whose policy a host is under; empty where there can be none.

    It is the one whose MX record names the host, else the host itself, which is then
    the next hop that a configuration names (RFC 8461, section 3.4).
    """
    name = ascii_name(host.mail_domain or host.name)
    return name if is_domain(name) else ""


def _mail_domains(address: RoutedAddress) -> tuple[str, ...]:
    domains = dict.fromkeys(
        policy_domain(host) for host in address.hosts if host.mail_domain
    )
    return tuple(domain for domain in domains if domain)


def _is_active(finding: Finding) -> bool:
    return finding.policy is not None and finding.policy.is_active


def _part(batch: Batch, addresses: list[RoutedAddress]) -> Batch:
    context = replace(batch.context, address=addresses[0], addresses=addresses)
    return replace(batch, addresses=addresses, context=context)
