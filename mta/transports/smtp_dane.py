"""What the TLSA records of a host demand of sessions with it (RFC 7672)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mta.connection import TLSFacts
from mta.expand.context import Context
from mta.expand.option_types import DomainList, Expanded, HostList
from mta.host import Host, Outcome
from mta.interfaces import IResolver
from mta.options import Option
from mta.taint import untainted
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.tls.tlsa import DANE_TA, TLSA, usable_records, usage_bits
from mta.tls.verdict import TLSVerdict, absent, unmet
from mta.transports.smtp_choices import expanded, matches
from mta.transports.smtp_hosts import Trust, ascii_name, is_ip_address
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import (
    DNS_DEFER,
    TLS_FAILURE,
    TLS_REQUIRED,
    Problem,
    Scope,
    tls_problem,
)
from mta.transports.smtp_tls import ClientTLSOptions, staple_for

USAGE_VARIABLE = "tls_out_tlsa_usage"
NO_RECORDS = absent("no TLSA records")
NOT_USABLE = absent("the TLSA records are not usable", result_type="tlsa-invalid")


class DANEOptions(ClientTLSOptions):
    """Whose TLSA records are looked up, and what follows from them."""

    dane_require_tls_ciphers = Option(
        Expanded, None, "Ciphers for hosts with TLSA records; else tls_require_ciphers."
    )
    dnssec_request_domains = Option(
        DomainList,
        "*",
        "Hosts of this transport whose addresses may count as authenticated by DNSSEC.",
    )
    dnssec_require_domains = Option(
        DomainList,
        None,
        "Hosts of this transport whose addresses must be authenticated by DNSSEC.",
    )
    hosts_require_dane = Option(
        HostList, None, "Hosts that get nothing unless a TLSA record vouches for them."
    )
    hosts_try_dane = Option(
        HostList, "*", "Hosts whose TLSA records, where there are any, must be met."
    )

    async def trust_in(self, name: str, context: Context) -> Trust:
        """Return what DNSSEC means for a host that the transport itself looks up."""
        demanded, used = self.dnssec_require_domains, self.dnssec_request_domains
        if demanded is not None and await demanded.match(name, context) is not None:
            return Trust.DEMANDED
        if used is not None and await used.match(name, context) is not None:
            return Trust.USED
        return Trust.UNUSED


def may_have_records(host: Host) -> bool:
    """Return whether a host's name is known for certain, whatever its address is."""
    return host.secure or host.mx_secure or (host.preference < 0 and not host.unasked)


async def under_records(
    options: DANEOptions, settings: HostSettings, context: Context
) -> HostSettings:
    """Return how to speak to a host, given its TLSA records.

    Raises HostProblem where it may get nothing.
    """
    host = settings.host
    required = await matches(options.hosts_require_dane, host, context)
    if not (required or await _are_tried(options, host, context)):
        return settings
    resolver = context.site.resolver
    places = [] if resolver is None else await _places(resolver, host)
    if resolver is None or places == []:
        if required:
            raise _no_records(host, "lookup not DNSSEC", "dane-required", host.name)
        return settings
    name, found = await _look_up(resolver, places, settings.port)
    if found is None:
        result_type = "dane-required" if required else "dnssec-invalid"
        raise _no_records(host, "lookup DEFER", result_type)
    if not found:
        if required:
            raise _no_records(host, "lookup FAIL", "dane-required")
        return replace(settings, dane=NO_RECORDS)
    records = usable_records(found)
    if not records:
        if required:
            raise _no_records(host, "records are not usable", "tlsa-invalid")
        return replace(settings, policy=_with_session(settings), dane=NOT_USABLE)
    policy = await _policy(options, settings, context, records, name)
    return replace(settings, policy=policy)


async def _are_tried(options: DANEOptions, host: Host, context: Context) -> bool:
    message = context.message
    if message is not None and message.tls_optional:
        # RFC 8689, section 5: the sender wants what others publish to be ignored.
        return False
    return await matches(options.hosts_try_dane, host, context)


async def _places(resolver: IResolver, host: Host) -> list[str] | None:
    """Return the names that a host's TLSA records may be under; None for not now.

    RFC 7672, section 2.2.3: the name behind an alias first, then the alias itself.
    Section 2.2.2: an alias may be secure though it leads to a name that is not.
    """
    if is_ip_address(host.name) or not may_have_records(host):
        return []
    kind = "AAAA" if ":" in host.ip_address else "A"
    own = ascii_name(host.name)
    if host.secure:
        known = await resolver.query(host.name, kind)
        is_followed = known.secure and known.name and known.name.lower() != own
        return [known.name, own] if is_followed else [own]
    if not (await resolver.query(host.name, kind)).name:
        return []
    alias = await resolver.query(host.name, "CNAME")
    if alias.outcome is Outcome.AGAIN:
        return None
    return [own] if alias and alias.secure else []


async def _look_up(
    resolver: IResolver, places: Sequence[str] | None, port: int
) -> tuple[str, tuple[object, ...] | None]:
    """Return the domain of a host's TLSA records, and the records; None for not now.

    Records that are not authenticated are none.
    """
    if places is None:
        return "", None
    for name in places:
        answer = await resolver.query(f"_{port}._tcp.{name}", "TLSA")
        if answer.outcome is Outcome.AGAIN:
            return name, None
        if answer and answer.secure:
            return name, answer.records
    return places[-1], ()


async def _policy(
    options: DANEOptions,
    settings: HostSettings,
    context: Context,
    records: tuple[TLSA, ...],
    name: str,
) -> ClientTLSPolicy:
    """Return the policy under records; Exim's manual tells what they overrule."""
    ciphers = await expanded(options.dane_require_tls_ciphers, context)
    policy = _with_session(settings)
    return replace(
        policy,
        verify=Verify.NEVER,
        name="",
        server_name=name,
        certificates="system",
        crl="",
        fetches_lists=False,
        ciphers=untainted(ciphers, "dane_require_tls_ciphers") or policy.ciphers,
        staple=await _staple(options, settings, context, records),
        dane=records,
        dane_names=_names(settings.host, name, records, context),
    )


def _with_session(settings: HostSettings) -> ClientTLSPolicy:
    """Return the policy of a host that says it has TLS; raise HostProblem."""
    policy = settings.policy
    if policy.start is Start.NEVER:
        text = "a TLS session is required, but hosts_avoid_tls has the host"
        check = unmet(text, required=True, result_type="validation-failure")
        problem = tls_problem(text, TLS_REQUIRED)
        raise HostProblem(problem, _verdict(settings.host).having(dane=check))
    if policy.start is Start.OFFERED:
        return replace(policy, start=Start.REQUIRED)
    return policy


def _names(
    host: Host, name: str, records: Sequence[TLSA], context: Context
) -> tuple[str, ...]:
    """Return what a certificate may be for (RFC 7672, section 3.2.2), base domain first.

    Names matter only where an issuer is published: without need, domains that share a
    host must not need connections of their own.
    """
    names = [name]
    if any(record.usage == DANE_TA for record in records):
        names.append(ascii_name(host.name))
        domains = {address.domain for address in context.addresses}
        if host.mail_domain and len(domains) == 1:
            names.append(ascii_name(host.mail_domain))
    return tuple(dict.fromkeys(names))


async def _staple(
    options: DANEOptions,
    settings: HostSettings,
    context: Context,
    records: Sequence[TLSA],
) -> Staple:
    """Return whether to ask for a staple, now that the records are known.

    Exim's manual, section "DANE": the default of asking everybody is not for hosts
    whose own certificate is published.
    """
    usages = usage_bits(records)
    lists = (options.hosts_request_ocsp, options.hosts_require_ocsp)
    if any(one is not None and USAGE_VARIABLE in one.text for one in lists):
        context.tls_out = TLSFacts("", "", tlsa_usage=usages)
        staple = await staple_for(options, settings.host, context)
    else:
        staple = settings.policy.staple
    asks_all = lists[0] is not None and lists[0].text.strip() == "*"
    if staple is Staple.REQUEST and asks_all and usages != 1 << DANE_TA:
        return Staple.UNWANTED
    return staple


def _no_records(
    host: Host, what: str, result_type: str, whose: str = "tlsa"
) -> HostProblem:
    """Return why a host gets nothing before it is even connected to."""
    text = f"DANE error: {whose} {what}"
    check = unmet(text, required=True, result_type=result_type)
    problem = Problem(Scope.HOST, text, DNS_DEFER, "lookup", "4.7.5")
    return HostProblem(problem, _verdict(host).having(dane=check))


def _verdict(host: Host) -> TLSVerdict:
    return TLSVerdict(
        host=host.name,
        ip_address=host.ip_address,
        tls=absent("no connection was made", required=True),
    )


def failure_line(problem: Problem, settings: HostSettings) -> str:
    """Return the log line about a host that is not what its records say, if it is so."""
    if not settings.policy.dane or problem.number not in (TLS_FAILURE, TLS_REQUIRED):
        return ""
    text = problem.text.removeprefix("TLS session: ")
    return f"DANE attempt failed; TLS connection to {settings.host}: {text}"
