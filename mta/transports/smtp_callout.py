"""The hosts that a callout asks, and the connections on which it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.address import NULL_PATH
from mta.expand.context import Context
from mta.host import Host
from mta.recipient import RoutedAddress
from mta.tls.policy import Start
from mta.transports.smtp_choices import matches
from mta.transports.smtp_connections import Link
from mta.transports.smtp_hosts import Candidates, find_hosts, shuffled
from mta.transports.smtp_link import HostProblem, HostSettings, Opener, is_tls_failure
from mta.transports.smtp_problems import Problem, Scope
from mta.transports.smtp_requiretls import Secrecy

if TYPE_CHECKING:
    from mta.smtp.client_failure import TimeLimits
    from mta.transports.smtp import SMTPTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How an smtp transport speaks to hosts that are only asked about addresses.

    What a delivery demands of TLS is demanded here: the envelope of a message
    crosses, too.  ``settings`` tells how to speak to a host, ``published`` adds
    what the receiving side demands.
    """

    transport: SMTPTransport
    opener: Opener
    settings: Callable[[Host, Context], Awaitable[HostSettings]]
    published: Callable[[HostSettings, Context], Awaitable[HostSettings]]

    def recipient_text(self, address: RoutedAddress) -> str:
        """Return the address for a RCPT command."""
        return self.transport.recipient_text(address)

    async def hosts(self, address: RoutedAddress, context: Context) -> Candidates:
        """Return the hosts that a message for an address would be brought to."""
        transport = self.transport
        randomize = await transport.hosts_randomize.value(context)
        if address.hosts and not transport.hosts_override:
            hosts = shuffled(address.hosts) if randomize else list(address.hosts)
            return Candidates(hosts)
        if transport.hosts is None:
            text = f"{transport.name} transport called with no hosts set"
            return Candidates(refusal=Problem(Scope.HOST, text, -1, "", "4.3.5"))
        return await find_hosts(
            await transport.hosts.expand(context),
            context,
            randomize=randomize,
            by_name=transport.gethostbyname,
            trust_in=transport.trust_in,
            allow_local=transport.allow_localhost,
            transport=transport.name,
        )

    async def demanded(self, host: Host, context: Context) -> HostSettings:
        """Return how to speak to a host.

        Raises HostProblem where nothing may be said to it, TemporaryFailure or
        ExpansionError where that cannot be told.
        """
        context.host, context.tls_out = host, None
        context.lookup_dnssec = host.lookup_dnssec
        settings = await self.published(await self.settings(host, context), context)
        if context.message is not None:
            wishes = Secrecy.of(context.message, NULL_PATH)
            demanded = wishes.demanded(settings)
            if isinstance(demanded, Problem):
                raise HostProblem(demanded)
            settings = demanded
        avoided = self.transport.hosts_verify_avoid_tls
        if settings.policy.start is Start.OFFERED and await matches(
            avoided, host, context
        ):
            # Where TLS is demanded the list means nothing.
            return settings.in_clear()
        return settings

    async def open(self, settings: HostSettings, limits: TimeLimits) -> Link:
        """Return a connection that has said EHLO; raise HostProblem."""
        try:
            return await self.opener.open(settings, limits)
        except HostProblem as failure:
            if not (is_tls_failure(failure.problem) and settings.may_go_clear):
                raise
        return await self.opener.open(settings.in_clear(), limits)
