"""Deliver to another host over SMTP or LMTP (Exim chapter 30)."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import (
    Expanded,
    ExpandedBoolean,
    ExpandedInteger,
    HostList,
)
from mta.host import Host
from mta.options import Boolean, Integer, Interval, Option, Source
from mta.recipient import Outcome
from mta.smtp.client_transaction import Envelope
from mta.transports.base import Batch, Prepared, Transport, transport
from mta.transports.host_lock import HostLock
from mta.transports.smtp_callout import Probing
from mta.transports.smtp_connections import Connections
from mta.transports.smtp_crl import FetchedLists, fetched_lists
from mta.transports.smtp_dane import DANEOptions, may_have_records, under_records
from mta.transports.smtp_delivery import HostTour
from mta.transports.smtp_hosts import (
    find_hosts,
    shuffled,
)
from mta.transports.smtp_link import HostSettings, Opener
from mta.transports.smtp_problems import Problem, Scope
from mta.transports.smtp_progress import Progress
from mta.transports.smtp_proxy import ProxyVersion
from mta.transports.smtp_requiretls import Secrecy
from mta.transports.smtp_sending import Sending
from mta.transports.smtp_settings import PORTS, depends_on_nothing, settings_for
from mta.transports.smtp_sts import PublishedPolicies, STSOptions

if TYPE_CHECKING:
    from mta.smtp.client_failure import TimeLimits

KNOWN_LIMIT = 1000


class _ProtocolType:
    name = "protocol"

    def parse(self, text: str, source: Source) -> str:
        word = text.strip().lower()
        if word not in PORTS:
            raise source.error(f'"{text}" is not smtp, lmtp, smtps or submissions')
        return word


@transport("smtp")
class SMTPTransport(DANEOptions, STSOptions, Transport):
    """Deliver to another host over SMTP or LMTP."""

    is_remote = True

    address_retry_include_sender = Option(
        Boolean, "true", "Keep retry times of recipients by sender, too."
    )
    allow_localhost = Option(
        Boolean, "false", "Deliver to hosts of this list that are this machine."
    )
    command_timeout = Option(
        Interval, "5m", "How long to wait for the reply to a command."
    )
    connect_timeout = Option(Interval, "5m", "How long to wait for a connection.")
    connection_max_messages = Option(
        Integer, "500", "How many messages go over one connection; 0 for any number."
    )
    data_timeout = Option(
        Interval, "5m", "How long to wait until the host takes a part of the content."
    )
    delay_after_cutoff = Option(
        Boolean,
        "true",
        "Do not try hosts that have failed for a long time before they are due.",
    )
    fallback_hosts = Option(
        Expanded, None, "Hosts to try for what the others could not be given."
    )
    final_timeout = Option(
        Interval, "10m", "How long to wait for the reply to the end of the content."
    )
    gethostbyname = Option(
        Boolean, "false", "Look names up as the operating system does, not in the DNS."
    )
    helo_data = Option(Expanded, "$primary_hostname", "The name to say in EHLO.")
    hosts = Option(Expanded, None, "Hosts to deliver to where the router gave none.")
    hosts_avoid_esmtp = Option(HostList, None, "Hosts to greet with HELO.")
    hosts_avoid_pipelining = Option(
        HostList, None, "Hosts that get one command at a time."
    )
    hosts_max_try = Option(Integer, "5", "How many hosts to try for one delivery.")
    hosts_max_try_hardlimit = Option(
        Integer, "50", "The same, with hosts that have failed for a long time."
    )
    hosts_override = Option(
        Boolean, "false", "Use the hosts given here, whatever the router says."
    )
    hosts_randomize = Option(
        ExpandedBoolean, "false", "Try hosts that come from no MX in random order."
    )
    hosts_try_chunking = Option(HostList, "*", "Hosts for which BDAT is used.")
    interface = Option(
        Expanded, None, "Our own address to connect from; the first of the family."
    )
    keepalive = Option(Boolean, "true", "Let the system probe idle connections.")
    lmtp_ignore_quota = Option(
        Boolean, "false", "Ask LMTP servers to ignore mailbox quotas."
    )
    max_rcpt = Option(
        ExpandedInteger, "100", "How many recipients one transaction has; 0 for any."
    )
    message_linelength_limit = Option(
        Integer, "998", "Longest line that is sent; messages with longer ones fail."
    )
    multi_domain = Option(
        ExpandedBoolean, "true", "Let one transaction have several domains."
    )
    port = Option(Expanded, None, "The port, by number or name; by protocol if unset.")
    protocol = Option(_ProtocolType(), "smtp", "smtp, lmtp, smtps or submissions.")
    proxy_protocol = Option(
        ProxyVersion(), None, "Send a PROXY header first, v1 or v2; none if unset."
    )
    proxy_source = Option(
        Expanded, None, "The client that the header names; our own end if unset."
    )
    retry_include_ip_address = Option(
        ExpandedBoolean, "true", "Keep retry times by IP address, not by name alone."
    )
    serialize_hosts = Option(HostList, None, "Hosts that get one connection at a time.")
    size_addition = Option(
        Integer, "1024", "Added to the size that MAIL declares; below 0: no SIZE."
    )

    _reactor: Any = None
    _connections: Connections | None = None
    _lists: FetchedLists | None = None
    _opener: Opener | None = None
    _thread_pool: Any = None
    _limits: TimeLimits | None = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.proxy_source is not None and self.proxy_protocol is None:
            raise self.source.error('"proxy_source" needs "proxy_protocol"')

    def attach(self, *, reactor: Any, thread_pool: Any) -> None:
        """Take the reactor to connect with."""
        self._reactor = reactor
        self._thread_pool = thread_pool
        self._connections = Connections(reactor)
        self._known_settings: dict[Host, HostSettings] = {}
        self._is_constant = depends_on_nothing(self)
        self._published = PublishedPolicies(self, reactor)

    async def close(self) -> None:
        """Close the connections that wait for another message; fetch nothing more."""
        if self._lists is not None:
            self._lists.close()
        if self._connections is not None:
            self._published.close()
            await self._connections.close()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Deliver to the first host that takes the message, address by address."""
        parts = await self._published.parts(batch)
        return [outcome for part in parts for outcome in await self._bring(part)]

    async def _bring(self, batch: Batch) -> list[Outcome]:
        started = time.monotonic()
        progress = Progress(batch)
        limit = self.message_linelength_limit
        if limit > 0 and batch.message.max_line_length > limit:
            text = "message has lines too long for transport"
            progress.refuse(Problem(Scope.PERMANENT, text, 0, "", "5.6.0"))
            return progress.all_outcomes
        try:
            await self._deliver(batch, progress)
        except (TemporaryFailure, ExpansionError) as error:
            progress.refuse(_own_problem(error))
        took = time.monotonic() - started
        outcomes = progress.all_outcomes
        for outcome in outcomes:
            outcome.took = took
        return outcomes

    async def _deliver(self, batch: Batch, progress: Progress) -> None:
        context = batch.context
        first = batch.addresses[0]
        tour = await self._tour(batch, progress)
        hosts: Sequence[Host] = first.hosts
        problems: list[Problem] = []
        if not hosts or self.hosts_override:
            if self.hosts is None:
                text = f"{self.name} transport called with no hosts set"
                progress.refuse(Problem(Scope.HOST, text, -1, "", "4.3.5"))
                return
            text = await self.hosts.expand(context)
            hosts, problems = await self._named_hosts(text, progress)
        elif await self.hosts_randomize.value(context):
            hosts = shuffled(hosts)
        await tour.run(hosts, problems)
        if progress.pending:
            await self._fall_back(batch, progress, tour)
        tour.sending.secrecy.settle(progress)

    async def _fall_back(
        self, batch: Batch, progress: Progress, tour: HostTour
    ) -> None:
        text = batch.addresses[0].fallback_hosts
        if not text and self.fallback_hosts is not None:
            text = await self.fallback_hosts.expand(batch.context)
        if not text.strip():
            return
        hosts, problems = await self._named_hosts(text, progress)
        await tour.run(hosts, problems)

    async def _named_hosts(
        self, text: str, progress: Progress
    ) -> tuple[list[Host], list[Problem]]:
        context = progress.batch.context
        found = await find_hosts(
            text,
            context,
            randomize=await self.hosts_randomize.value(context),
            by_name=self.gethostbyname,
            trust_in=self.trust_in,
            allow_local=self.allow_localhost,
            transport=self.name,
        )
        if found.refusal is not None:
            progress.refuse(found.refusal)
        elif not found.hosts and not found.problems:
            empty = f"{self.name} transport has an empty host list"
            progress.refuse(Problem(Scope.HOST, empty, -1, "", "4.3.5"))
        return found.hosts, found.problems

    async def _tour(self, batch: Batch, progress: Progress) -> HostTour:
        context = batch.context
        assert self._connections is not None, "attach was not called"
        sending = Sending(
            prepare=await self._preparation(batch),
            envelope=self._envelope(batch),
            recipient_text=self.recipient_text,
            connections=self._connections,
            opener=self._opening(context),
            lock=lambda settings: self._lock(settings, context),
            time=self._time_limits(),
            secrecy=Secrecy.of(batch.message, batch.return_path),
            published=partial(self._demanded, context=context),
            messages=self.connection_max_messages,
            recipients=await self.max_rcpt.value(context),
            multi_domain=await self.multi_domain.value(context),
            size_addition=self.size_addition,
        )

        return HostTour(
            progress=progress,
            sending=sending,
            settings=partial(self._settings, context=context),
            limit=self.hosts_max_try,
            hard_limit=self.hosts_max_try_hardlimit,
            retry_after_cutoff=not self.delay_after_cutoff,
        )

    def probing(self, context: Context) -> Probing:
        """Return how hosts are asked about an address without a message."""
        return Probing(
            transport=self,
            opener=self._opening(context),
            settings=self._settings,
            published=self._demanded,
        )

    def _opening(self, context: Context) -> Opener:
        if self._opener is None:
            if self.tls_crl_fetch:
                self._lists = fetched_lists(self._reactor, self._thread_pool, context)
            self._opener = Opener(self._reactor, self._lists)
        return self._opener

    async def _settings(self, host: Host, context: Context) -> HostSettings:
        known = self._known_settings.get(host)
        if known is None:
            known = await settings_for(self, host, context)
            if self._is_constant and len(self._known_settings) < KNOWN_LIMIT:
                self._known_settings[host] = known
        naming = host.mail_domain, host.mx_secure, host.unasked
        before = known.host
        if (before.mail_domain, before.mx_secure, before.unasked) != naming:
            known = replace(known, host=replace(host, port=before.port))
        return known

    async def _demanded(self, settings: HostSettings, context: Context) -> HostSettings:
        """Return how to speak to a host by what its side publishes."""
        if may_have_records(settings.host) or self.hosts_require_dane is not None:
            settings = await under_records(self, settings, context)
        return await self._published.demanded(settings, context)

    async def _preparation(self, batch: Batch) -> Callable[[], Awaitable[Prepared]]:
        """Return what gives the content: made anew where host or TLS may be in it."""
        templates = (*self.headers_add, *self.headers_remove)
        if any(template.constant is None for template in templates):
            return lambda: self.prepare(batch)
        prepared = await self.prepare(batch)

        async def same() -> Prepared:
            return prepared

        return same

    def _time_limits(self) -> TimeLimits:
        if self._limits is None:
            from mta.smtp.client_failure import TimeLimits  # noqa: PLC0415

            self._limits = TimeLimits(
                self.connect_timeout,
                self.command_timeout,
                self.data_timeout,
                self.final_timeout,
            )
        return self._limits

    def _envelope(self, batch: Batch) -> Envelope:
        message = batch.message
        return Envelope(
            batch.return_path.text,
            (),
            body_type=message.body_type,
            smtputf8=message.smtputf8,
            dsn_return=message.dsn_return,
            envelope_id=message.envelope_id,
            ignore_quota=self.lmtp_ignore_quota,
            requiretls=message.requiretls,
        )

    def _lock(self, settings: HostSettings, context: Context) -> HostLock | None:
        directory = os.path.join(context.site.spool_directory, "locks")
        name = f"{self.name}-{settings.host.ip_address}"
        try:
            return HostLock.take(directory, name)
        except OSError as error:
            text = f"failed to lock {name}: {error.strerror}"
            raise TemporaryFailure("local problem", log_text=text) from error


def _own_problem(error: TemporaryFailure | ExpansionError) -> Problem:
    """Return the problem of a setting that cannot be used: for our log alone."""
    told = error.text if isinstance(error, TemporaryFailure) else "local problem"
    return Problem(Scope.HOST, str(error), -1, "", "4.3.0", report_text=told)
