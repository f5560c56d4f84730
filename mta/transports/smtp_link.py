"""Open a connection to a host: TCP, TLS as demanded, greeting and EHLO."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mta.connection import TLSFacts
from mta.errors import TemporaryFailure
from mta.host import Host
from mta.proxy.result import Endpoint, plain
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.transports.smtp_connections import Link
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


class HostProblem(Exception):
    """A host that cannot be used now, and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How one host is to be spoken to; ``host`` has its port."""

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
    announcement: Announcement | None = None

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
        """True where failed TLS means another try in clear text (Exim chapter 43).

        Other than Exim, not where the certificate must be verified.
        """
        return (
            self.clear_after_refusal
            and self.policy.start is Start.OFFERED
            and self.policy.verify is not Verify.REQUIRE
        )

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


class Opener:
    """Opens connections for one transport instance."""

    def __init__(self, reactor: Any) -> None:
        # Start-up time: these load OpenSSL, and only who delivers needs them.
        from mta.smtp import client_connect  # noqa: PLC0415
        from mta.tls import client  # noqa: PLC0415

        self._reactor = reactor
        self._connect = client_connect.connect
        self._tls = client.ClientTLS()

    async def open(self, settings: HostSettings, limits: TimeLimits) -> Link:
        """Return a connection on which a transaction may begin; raise HostProblem."""
        from mta.smtp.client_failure import SessionFailure  # noqa: PLC0415

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
        if settings.announcement is not None:
            _announce(settings.announcement, client, settings)
        try:
            facts = await self._greet(client, settings)
        except SessionFailure as failure:
            raise HostProblem(session_problem(failure, host)) from failure
        except HostProblem:
            client.quit()
            raise
        except BaseException:
            client.abort()
            raise
        transport: Any = client.transport
        ours = transport.getHost()
        return Link(
            client,
            settings.connection_key,
            facts,
            local_address=ours.host,
            local_port=ours.port,
        )

    async def _greet(
        self, client: SMTPClient, settings: HostSettings
    ) -> TLSFacts | None:
        start = settings.policy.start
        facts = None
        if start is Start.ON_CONNECT:
            facts = await self._negotiate(client, settings)
        await client.greet(settings.helo, esmtp=settings.esmtp)
        if start is Start.OFFERED or start is Start.REQUIRED:
            if "STARTTLS" in client.session.capabilities.keywords:
                facts = await self._start_tls(client, settings)
            elif start is Start.REQUIRED:
                raise _required("the server did not offer TLS support")
        return facts

    async def _start_tls(
        self, client: SMTPClient, settings: HostSettings
    ) -> TLSFacts | None:
        reply = await client.ask_tls()
        if reply.code < 300:
            facts = await self._negotiate(client, settings)
            await client.hello(settings.helo)
            return facts
        if settings.policy.start is Start.REQUIRED:
            raise _required("an attempt to start TLS failed")
        if reply.is_temporary and not settings.clear_after_refusal:
            raise HostProblem(refusal(reply, "STARTTLS", "STARTTLS"))
        return None

    async def _negotiate(self, client: SMTPClient, settings: HostSettings) -> TLSFacts:
        from mta.smtp.client_failure import SessionFailure, Trouble  # noqa: PLC0415

        try:
            session = self._tls.session(settings.policy)
        except TemporaryFailure as error:
            text = f"TLS session: {error.log_text}"
            problem = tls_problem(text, report_text=error.text)
            raise HostProblem(problem) from error
        try:
            await client.begin_tls(session)
        except SessionFailure as failure:
            if session.chain_problem and failure.trouble is Trouble.TLS:
                text = f"TLS session: (SSL_connect): {session.chain_problem}"
                raise HostProblem(tls_problem(text)) from failure
            raise
        facts = session.facts(client.tls_connection)
        if session.is_refused:
            client.abort()
            raise HostProblem(tls_problem(f"TLS session: {session.problem}"))
        return facts


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


def _required(reason: str) -> HostProblem:
    text = f"a TLS session is required, but {reason}"
    return HostProblem(tls_problem(text, TLS_REQUIRED))


def is_tls_failure(problem: Problem) -> bool:
    """Return whether a handshake was begun and failed."""
    return problem.number == TLS_FAILURE
