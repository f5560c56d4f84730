"""Find the hosts that an address is sent to, for all routers that name hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mta.address import Address
from mta.expand.context import Context
from mta.host import Answer, Host, Outcome
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict

MX_LIMIT = 100
INCOMPLETE = "host lookup did not complete"
NO_SERVICE = "an MX or SRV record indicated no SMTP service"


@dataclass(slots=True)
class HostSearch:
    """What a search for hosts gave.

    ``outcome`` is FOUND with hosts, or says why there are none; ``ignored`` tells
    that some were found but taken as not existing.  ``null_mx`` says that the domain
    takes no mail, ``removed_self`` that this host stood behind the others.
    """

    outcome: Outcome
    hosts: list[Host] = field(default_factory=list)
    ignored: bool = False
    null_mx: bool = False
    removed_self: bool = False
    text: str = ""

    @classmethod
    def failed(cls, answer: Answer) -> HostSearch:
        """Return the search that ended with a negative answer."""
        return cls(answer.outcome, text=answer.text)


@dataclass(frozen=True, slots=True)
class Family:
    """Which IP addresses are wanted, and in which order."""

    ipv4_only: bool = False
    ipv4_first: bool = False


BOTH = Family()
_NO_ADDRESS = (Outcome.NO_DOMAIN, Outcome.NO_DATA)


class HostFinder:
    """Looks for hosts with one router's options, for one address."""

    def __init__(self, router: Router, context: Context, family: Family = BOTH) -> None:
        self._router = router
        self._context = context
        self._resolver: Any = context.site.resolver
        self._family = family

    async def by_address(
        self,
        name: str,
        *,
        port: int | None = None,
        preference: int = -1,
        secure: bool = True,
        mail_domain: str = "",
        system: str = "no",
    ) -> HostSearch:
        """Return one host per IP address of a name.

        ``mail_domain`` is the domain whose MX record has the name.  ``system`` says
        whether the operating system is asked: ``no``, ``only``, or ``after`` the DNS
        did not know the name.
        """
        literal = ip_literal(name)
        if literal:
            answer = Answer(Outcome.FOUND, (literal,))
        else:
            answer = await self._addresses(name, system)
        if not answer.records:
            return HostSearch.failed(answer)
        # Where the MX record is secure the name is certain, if not the address.
        named, unasked = secure and bool(mail_domain), bool(literal) or system == "only"
        origin = secure and answer.secure, mail_domain, named, unasked
        search = HostSearch(Outcome.FOUND)
        for ip_address in self._ordered(answer.records):
            host = Host(name, ip_address, port, preference, *origin)
            if await self.is_ignored(host):
                search.ignored = True
            else:
                search.hosts.append(host)
        if not search.hosts:
            search.outcome = Outcome.NO_DATA
        return search

    async def _addresses(self, name: str, system: str) -> Answer:
        answer = Answer(Outcome.NO_DATA)
        if system != "only":
            ipv6 = not self._family.ipv4_only
            answer = await self._resolver.addresses(name, ipv6=ipv6)
        if system != "no" and answer.outcome in _NO_ADDRESS:
            answer = await self._resolver.system_addresses(name)
        return answer

    async def by_mx(
        self, domain: str, answer: Answer, *, port: int | None = None
    ) -> HostSearch:
        """Return the hosts of a domain's MX records, most preferred first.

        Equal preferences are in random order.  Hosts at or above the preference of
        this host are left out, unless it is itself most preferred.
        """
        records = sorted(
            answer.records[:MX_LIMIT],
            key=lambda record: (record[0], self._router.random.random()),
        )
        if [name for _, name in records] in ([""], ["."]):
            return HostSearch(Outcome.NO_DATA, null_mx=True, text=NO_SERVICE)
        search = HostSearch(Outcome.NO_DATA)
        unfinished = ""
        for preference, name in _once_each(records):
            if ip_literal(name):
                continue
            found = await self.by_address(
                name,
                port=port,
                preference=preference,
                secure=answer.secure,
                mail_domain=domain,
            )
            search.ignored |= found.ignored
            search.hosts += found.hosts
            if found.outcome is Outcome.AGAIN:
                unfinished = f"{INCOMPLETE} for {name}"
        if search.hosts:
            search.outcome = Outcome.FOUND
            self._cut_at_self(search, records[0][0])
        elif unfinished:
            search.outcome, search.text = Outcome.AGAIN, unfinished
        return search

    async def by_mx_of(self, domain: str, *, port: int | None = None) -> HostSearch:
        """Return the hosts of a domain's MX records, which are looked up first."""
        answer = await self._resolver.query(domain, "MX")
        if not answer.records:
            return HostSearch.failed(answer)
        return await self.by_mx(domain, answer, port=port)

    def _cut_at_self(self, search: HostSearch, lowest: int) -> None:
        own = [h.preference for h in search.hosts if self.is_self(h)]
        if not own:
            return
        if own[0] > search.hosts[0].preference:
            search.hosts = [h for h in search.hosts if h.preference < own[0]]
            search.removed_self = True
        else:
            # This host is most preferred: let it stand first, for ``self`` to see.
            search.hosts.sort(
                key=lambda host: (host.preference, not self.is_self(host))
            )

    async def is_ignored(self, host: Host) -> bool:
        """Return whether ``ignore_target_hosts`` says that a host does not exist."""
        ignored = self._router.ignore_target_hosts
        if ignored is None:
            return False
        self._context.host = host
        try:
            return await ignored.match_host(host, self._context) is not None
        finally:
            self._context.host = None

    def is_self(self, host: Host) -> bool:
        """Return whether a host is this one."""
        return host.ip_address in self._context.site.local_addresses

    def _ordered(self, addresses: Sequence[str]) -> list[str]:
        shuffled = list(addresses)
        if len(shuffled) > 1:
            self._router.random.shuffle(shuffled)
            shuffled.sort(key=lambda text: (":" in text) is self._family.ipv4_first)
        return shuffled


def _once_each(records: Iterable[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    seen: set[str] = set()
    for preference, name in records:
        if name.lower() not in seen:
            seen.add(name.lower())
            yield preference, name


def without_repetitions(hosts: Iterable[Host]) -> list[Host]:
    """Return the hosts without those whose address and port came before."""
    seen: set[tuple[str, int | None]] = set()
    kept = []
    for host in hosts:
        if (host.ip_address, host.port) not in seen:
            seen.add((host.ip_address, host.port))
            kept.append(host)
    return kept


def ip_literal(text: str) -> str:
    """Return an IP address in its usual form, empty for other text."""
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        return ""


def timed_out(router: Router, text: str) -> Decision:
    """Return what follows where the DNS could not be asked."""
    if router.pass_on_timeout:
        return Decision(Verdict.PASS)
    return Decision(Verdict.DEFER, text or INCOMPLETE, error=-1, error_name="lookup")


def route_to_self(
    router: Router, address: RoutedAddress, host: Host
) -> Decision | None:
    """Return what ``self`` says where the first host is this one; None to go on."""
    choice = router.self
    if choice.word == "send":
        return None
    if choice.word == "pass":
        address.self_hostname = host.name
        return Decision(Verdict.PASS)
    if choice.word == "reroute":
        child = replace(
            address,
            address=Address(address.address.local_part, choice.domain),
            domain=choice.domain.lower(),
            parent=address,
            variables=dict(address.variables),
            headers_add=list(address.headers_add),
            headers_remove=list(address.headers_remove),
            hosts=[],
        )
        return Decision(Verdict.REROUTE, children=[child])
    if choice.word == "fail":
        return Decision(Verdict.FAIL, "remote host address is the local host")
    text = "remote host address is the local host"
    return Decision(Verdict.DEFER, text, freeze=choice.word == "freeze", error=-1)
