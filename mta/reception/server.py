"""The ESMTP server: what all its connections share, and how long each may take."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimeLimit
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mta.acl.registry import Phase
from mta.connection import Connection
from mta.expand.context import Site
from mta.interfaces import ILogs
from mta.lists.host_names import plain_address
from mta.reception.acceptance import Acceptance
from mta.reception.authentication import Authenticator
from mta.reception.connections import Connections
from mta.reception.conversation import Shared
from mta.reception.extensions import ExtensionOffer, Numbers
from mta.reception.options import SMTPOptions
from mta.reception.policy import Policy
from mta.reception.protocol import ESMTPProtocol
from mta.reception.session_log import SessionLog
from mta.reception.standing import common_standing
from mta.reception.tls import ServerCertificates
from mta.reception.trace import DateText
from mta.smtp.server_replies import own
from mta.smtp.server_verbs import SessionRules

SWEEP_INTERVAL = 1.0
WIND_DOWN_LIMIT = 5.0
_QUERIES = {"ETRN": Phase.ETRN, "VRFY": Phase.VRFY, "EXPN": Phase.EXPN}


class ESMTPFactory(Factory):
    """Makes the protocol of each connection, and watches the time for all of them.

    ``clock`` is the reactor, or stands for it.  ``limits`` counts the connections of
    all listeners together.  A listener on which TLS begins at once has a factory of
    its own: see ``for_tls_on_connect``.
    """

    noisy = False
    protocol = ESMTPProtocol

    def __init__(
        self,
        *,
        site: Site,
        options: SMTPOptions,
        policy: Policy,
        acceptance: Acceptance,
        tls: ServerCertificates | None,
        logs: ILogs,
        clock: Any,
        limits: Connections,
        authenticators: Sequence[Authenticator] = (),
    ) -> None:
        host_name = site.active_hostname or site.primary_hostname
        queries = {name for name, phase in _QUERIES.items() if policy.defines(phase)}
        self.clock = clock
        self.limits = limits
        self.tls_on_connect = False
        self.protocols: set[ESMTPProtocol] = set()
        self._sweeping: Any = None
        self.rules = _rules(options, host_name)
        self.shared = Shared(
            site=site,
            options=options,
            policy=policy,
            acceptance=acceptance,
            tls=tls if tls is not None and tls.is_on else None,
            logs=logs,
            log=SessionLog(logs),
            offer=ExtensionOffer(options, frozenset(queries)),
            authenticators=authenticators,
            greeting=f"{host_name} ESMTP MTA {site.version}",
            constant_numbers=_constant_numbers(options),
            standing=common_standing(options),
            date_text=DateText().of,
            connections=limits,
            clock=site.clock,
            within=self._within,
        )

    def for_tls_on_connect(self) -> ESMTPFactory:
        """Return a factory like this for ports on which TLS begins at once."""
        other = self.__class__.__new__(self.__class__)
        other.__dict__.update(self.__dict__)
        other.tls_on_connect = True
        other.protocols = set()
        other._sweeping = None
        return other

    def buildProtocol(self, addr: IAddress | None) -> ESMTPProtocol:
        """Return the protocol of a connection."""
        protocol: ESMTPProtocol = self.protocol()
        protocol.factory = protocol.server = self
        return protocol

    def describe(self, transport: Any) -> Connection:
        """Return what a transport tells of a client."""
        peer = transport.getPeer()
        proxy = getattr(peer, "proxy", None)
        if proxy is None:
            host = transport.getHost()
            local_address, local_port = host.host, host.port
        else:
            # To the client this host has the proxy's address.
            local_address, local_port = proxy.received
        return Connection(
            peer_address=plain_address(peer.host),
            peer_port=peer.port,
            local_address=plain_address(local_address),
            local_port=local_port,
            started_at=self.shared.clock(),
            proxy=proxy,
        )

    def enter(self, protocol: ESMTPProtocol, connection: Connection) -> bool:
        """Count a connection; return whether there is room for it."""
        limits, options = self.limits, self.shared.options
        self.protocols.add(protocol)
        limits.enter(protocol.ip_address)
        if self._sweeping is None:
            self._sweeping = self.clock.callLater(SWEEP_INTERVAL, self._sweep)
        if 0 < options.smtp_accept_max < limits.count:
            self.shared.log.refused(connection.peer_address, "too many connections")
            return False
        self.shared.log.connected(connection, limits.count)
        return True

    def leave(self, protocol: ESMTPProtocol) -> None:
        """Count a connection that has ended."""
        self.protocols.discard(protocol)
        self.limits.leave(protocol.ip_address)

    def _sweep(self) -> None:
        """Look for clients that say nothing: one timer for all, not one for each."""
        now = self.clock.seconds()
        for protocol in tuple(self.protocols):
            protocol.check_time(now)
        self._sweeping = None
        if self.protocols:
            self._sweeping = self.clock.callLater(SWEEP_INTERVAL, self._sweep)

    def doStop(self) -> None:
        """A port that used this factory was closed."""
        super().doStop()  # type: ignore[no-untyped-call]
        if not self.numPorts and not self.protocols:
            self._stop_sweeping()

    async def wind_down(self) -> None:
        """Dismiss every client, since the process ends.

        What is being decided is decided and answered first, so that nobody sends a
        message again that we have; but there is a limit to it.
        """
        for protocol in tuple(self.protocols):
            protocol.dismiss()
        await self._within(WIND_DOWN_LIMIT, self._when_empty())
        self.close_all()

    async def _when_empty(self) -> None:
        while self.protocols:
            await deferLater(self.clock, 0.05)

    def close_all(self) -> None:
        """Cut every connection, and let the timer go."""
        for protocol in tuple(self.protocols):
            protocol.transport.abortConnection()
        self._stop_sweeping()

    def _stop_sweeping(self) -> None:
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            sweeping.cancel()

    async def _within(self, seconds: float, awaitable: Awaitable[Any]) -> Any:
        """Wait for something, but no longer than some seconds; then give None."""
        waiting = Deferred.fromCoroutine(_awaited(awaitable))
        waiting.addTimeout(seconds, self.clock)
        waiting.addErrback(_trap_time_limit)
        return await waiting


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _trap_time_limit(failure: Failure) -> None:
    failure.trap(TimeLimit)  # type: ignore[no-untyped-call]


def _rules(options: SMTPOptions, host_name: str) -> SessionRules:
    return SessionRules(
        host_name=host_name,
        maximum_unknown=options.smtp_max_unknown_commands,
        maximum_errors=options.smtp_max_synprot_errors,
        maximum_nonmail=options.smtp_accept_max_nonmail,
        enforce_synchronization=options.smtp_enforce_sync,
        enhanced_status=options.smtp_enhanced_status_codes,
        allow_literal=options.allow_domain_literals,
        reject_for_recipients=options.recipients_max_reject,
        helo_characters=(options.helo_allow_chars or "").encode(),
        closing=own(221, "2.0.0", f"{host_name} closing connection"),
    )


def _constant_numbers(options: SMTPOptions) -> Numbers | None:
    size = options.message_size_limit.constant
    mails = options.smtp_accept_max_per_connection.constant
    recipients = options.recipients_max.constant
    if size is None or mails is None or recipients is None:
        return None
    return Numbers(size, mails, recipients)
