"""Open a connection to a host: TCP, TLS as demanded, greeting and EHLO."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mta.errors import TemporaryFailure
from mta.host import Host
from mta.proxy.result import Endpoint, plain
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.tls.verdict import UNASKED, Check, PublishedPolicy, TLSVerdict, absent, unmet
from mta.transports.smtp_connections import NOTHING_PROVED, Link
from mta.transports.smtp_crl import FetchedLists
from mta.transports.smtp_problems import (
    TLS_FAILURE,
    TLS_REQUIRED,
    Problem,
    refusal,
    session_problem,
    tls_problem,
)
from mta.transports.smtp_proxy import Announcement

if TYPE_CHECKING:
    from mta.smtp.client import SMTPClient
    from mta.smtp.client_failure import TimeLimits
    from mta.tls.client import ClientTLSSession


class HostProblem(Exception):
    """A host that cannot be used now, and why; ``verdict`` is what its TLS proved."""

    def __init__(self, problem: Problem, verdict: TLSVerdict = NOTHING_PROVED) -> None:
        super().__init__(problem.text)
        self.problem = problem
        self.verdict = verdict


# Nobody need ask for TLSA records then (RFC 7672, section 2.2).
NOT_AUTHENTIC = absent("the address is not authenticated by DNSSEC")


class StapleUnreadable(HostProblem):
    """TLS failed over an OCSP response that was requested and not required."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How one host is to be spoken to; ``host`` has its port.

    ``sts_policy`` is the MTA-STS policy that the host is held against for the domain
    in hand; ``sts`` and ``dane`` are what can be said of policies and TLSA records
    without a connection.
    """

    host: Host
    port: int
    interface: str
    helo: str
    policy: ClientTLSPolicy
    retry_key: str
    is_lmtp: bool = False
    esmtp: bool = True
    pipelining: bool = True
    chunking: bool = True
    serialize: bool = False
    clear_after_refusal: bool = True
    keepalive: bool = True
    passes_tls: bool = True
    announcement: Announcement | None = None
    sts_policy: PublishedPolicy | None = None
    sts: Check = UNASKED
    dane: Check = UNASKED

    def message_key(self, message_id: str) -> str:
        """Return the key of the retry time of one message at this host."""
        return f"{self.retry_key}:{message_id}"

    @property
    def connection_key(self) -> Hashable:
        """What is equal for messages that may share a connection."""
        return (
            self.host.ip_address,
            self.port,
            self.interface,
            self.helo,
            self.esmtp,
            self.policy,
            self.announcement,
        )

    @property
    def may_go_clear(self) -> bool:
        """True where failed TLS means another try in clear text (Exim chapter 43)."""
        return self.clear_after_refusal and self.policy.allows_clear_text

    @property
    def is_secrecy_hoped_for(self) -> bool:
        """True where a session in clear is allowed, but worth a line in the log.

        Exim chapter 30: tls_verify_hosts demands nothing of sessions without TLS.
        """
        policy = self.policy
        return policy.start is Start.OFFERED and policy.verify is Verify.REQUIRE

    def in_clear(self) -> HostSettings:
        """Return the same without TLS."""
        return replace(self, policy=ClientTLSPolicy(Start.NEVER, Verify.NEVER))

    def stamped(self, verdict: TLSVerdict) -> TLSVerdict:
        """Return a connection's verdict as it tells of the domain in hand.

        Domains with equal demands share connections, but each has its own policy.
        """
        published = self.sts_policy
        has_nothing = published is None and not self.sts.asked
        if not verdict.tls.asked or (has_nothing and not verdict.sts.asked):
            return verdict
        sts = self.sts
        policies = tuple(one for one in verdict.policies if one.kind != "sts")
        if published is not None:
            policies += (published,)
            sts = sts if sts.asked else verdict.sts
            if not sts.asked:
                # It did not come to a handshake.
                demand = self.policy.sts
                sts = unmet(
                    verdict.tls.reason,
                    required=demand is not None and demand.is_enforced,
                    result_type="starttls-not-supported",
                )
        return verdict.having(sts=sts, policies=policies)


class Opener:
    """Opens connections for one transport instance."""

    def __init__(self, reactor: Any, lists: FetchedLists | None = None) -> None:
        # Start-up time: these load OpenSSL, and only who delivers needs them.
        from mta.smtp import client_connect  # noqa: PLC0415
        from mta.tls import client  # noqa: PLC0415

        self._reactor = reactor
        self._connect = client_connect.connect
        self._tls = client.ClientTLS()
        self._lists = lists

    async def open(self, settings: HostSettings, limits: TimeLimits) -> Link:
        """Return a connection on which a transaction may begin; raise HostProblem."""
        try:
            return await self._open(settings, limits)
        except StapleUnreadable as failure:
            verdict = failure.verdict
        # OpenSSL ends a handshake over such a staple; this one nobody insists on.
        policy = settings.policy.without_staple()
        link = await self._open(replace(settings, policy=policy), limits)
        link.key = settings.connection_key
        link.verdict = link.verdict.having(ocsp=verdict.ocsp)
        if link.tls is not None:
            link.tls.ocsp, link.tls.staple = 3, "unreadable"
        host = settings.host
        link.remarks.append(
            f"[{host.ip_address}] {host.name} Received TLS cert status response, "
            "parse error: it is not asked for again"
        )
        return link

    async def _open(self, settings: HostSettings, limits: TimeLimits) -> Link:
        from mta.smtp.client_failure import SessionFailure, Trouble  # noqa: PLC0415

        host = settings.host
        try:
            client = await self._connect(
                self._reactor,
                host.ip_address,
                settings.port,
                limits=limits,
                interface=settings.interface,
                is_lmtp=settings.is_lmtp,
                keepalive=settings.keepalive,
            )
        except SessionFailure as failure:
            raise HostProblem(session_problem(failure, host)) from failure
        transport: Any = client.transport
        ours = transport.getHost()
        link = Link(
            client,
            settings.connection_key,
            local_address=ours.host,
            local_port=ours.port,
        )
        if settings.announcement is not None:
            _announce(settings.announcement, client, settings)
        try:
            await self._greet(link, settings)
        except SessionFailure as failure:
            if failure.trouble is Trouble.TLS and not link.verdict.tls.asked:
                link.verdict = _without_handshake(failure.text, link, settings)
            raise HostProblem(session_problem(failure, host), link.verdict) from failure
        except HostProblem:
            client.quit()
            raise
        except BaseException:
            client.abort()
            raise
        return link

    async def _greet(self, link: Link, settings: HostSettings) -> None:
        client, start = link.client, settings.policy.start
        if start is Start.ON_CONNECT:
            await self._negotiate(link, settings)
        await client.greet(settings.helo, esmtp=settings.esmtp)
        link.helo = client.session.capabilities.name
        if start is Start.OFFERED or start is Start.REQUIRED:
            if "STARTTLS" in client.session.capabilities.keywords:
                await self._start_tls(link, settings)
            else:
                _go_without(link, settings, "the server did not offer TLS support")

    async def _start_tls(self, link: Link, settings: HostSettings) -> None:
        client = link.client
        reply = await client.ask_tls()
        if reply.code < 300:
            await self._negotiate(link, settings)
            await client.hello(settings.helo)
            return
        _go_without(link, settings, "an attempt to start TLS failed", str(reply))
        if reply.is_temporary and not settings.clear_after_refusal:
            problem = refusal(reply, "STARTTLS", "STARTTLS")
            raise HostProblem(problem, link.verdict)

    async def _negotiate(self, link: Link, settings: HostSettings) -> None:
        """Shake hands, and note what came of it in the link."""
        from mta.smtp.client_failure import SessionFailure, Trouble  # noqa: PLC0415

        try:
            session = self._tls.session(settings.policy)
        except TemporaryFailure as error:
            text = f"TLS session: {error.log_text}"
            problem = tls_problem(text, report_text=error.text)
            # What guards the session is missing: that is no reason to go without.
            raise HostProblem(replace(problem, is_ours=True)) from error
        try:
            await link.client.begin_tls(session)
        except SessionFailure as failure:
            if failure.trouble is not Trouble.TLS:
                raise
            session.failed(failure.text, failure.__cause__)
            verdict = _about(session.verdict, link, settings)
            problem = tls_problem(f"TLS session: {session.refusal_text}")
            kind = StapleUnreadable if session.may_try_without_staple else HostProblem
            raise kind(problem, verdict) from failure
        link.tls = session.facts(link.client.tls_connection)
        if settings.passes_tls:
            link.good_until = session.good_until
        else:
            # No second message is sent on it.
            link.good_until = 0.0
        await self._look_in_lists(session, link)
        link.verdict = _about(session.verdict, link, settings)
        if session.is_refused:
            link.client.abort()
            problem = tls_problem(f"TLS session: {session.refusal_text}")
            raise HostProblem(problem, link.verdict)
        host = settings.host
        if session.verify_remark:
            link.remarks.append(f"[{host.ip_address}] {session.verify_remark}")
        if session.staple.log_text:
            link.remarks.append(
                f"[{host.ip_address}] {host.name} {session.staple.log_text}"
            )

    async def _look_in_lists(self, session: ClientTLSSession, link: Link) -> None:
        if self._lists is None or link.tls is None:
            return
        check = await self._lists.check(session, link.client.tls_connection)
        if check.asked:
            session.verdict = session.verdict.having(crl=check)
            link.tls.verified = not session.problem


def _about(verdict: TLSVerdict, link: Link, settings: HostSettings) -> TLSVerdict:
    """Return a verdict that says whom it is about."""
    dane = verdict.dane
    if not dane.asked:
        dane = settings.dane if settings.host.secure else NOT_AUTHENTIC
    return verdict.having(
        dane=dane,
        host=settings.host.name,
        ip_address=settings.host.ip_address,
        local_address=link.local_address,
        # Of a host that is well it would only make the history long.
        helo=link.helo if verdict.failures else "",
        cipher="" if link.tls is None else link.tls.cipher,
    )


def _without_handshake(reason: str, link: Link, settings: HostSettings) -> TLSVerdict:
    """Return the verdict where TLS failed before it began."""
    required = settings.policy.demands_session
    check = unmet(reason, required=required, result_type="validation-failure")
    return _about(TLSVerdict(tls=check), link, settings)


def _go_without(
    link: Link, settings: HostSettings, reason: str, reply: str = ""
) -> None:
    """Note that there is no TLS; raise HostProblem where it is demanded."""
    is_demanded = settings.policy.demands_session
    check = unmet(reason, required=is_demanded)
    policies = settings.policy.published_records
    link.verdict = _about(TLSVerdict(tls=check, policies=policies), link, settings)
    if is_demanded:
        text = f"a TLS session is required, but {reason}"
        problem = replace(tls_problem(text, TLS_REQUIRED), reply=reply)
        raise HostProblem(problem, link.verdict)


def _announce(
    announcement: Announcement, client: SMTPClient, settings: HostSettings
) -> None:
    """Send the PROXY header; whatever follows, TLS too, goes behind it."""
    transport: Any = client.transport
    ours = transport.getHost()
    # A header has no room for the interface of a link-local address.
    address = settings.host.ip_address.partition("%")[0]
    theirs = Endpoint(plain(address), settings.port)
    header = announcement.header(Endpoint(plain(ours.host), ours.port), theirs)
    transport.write(header)


def is_tls_failure(problem: Problem) -> bool:
    """Return whether a handshake was begun and failed."""
    return problem.number == TLS_FAILURE and not problem.is_ours
