"""The parts of an MTA that moves mail, built and given what each needs.

Used by the daemon and by every command that accepts or delivers.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mta.acl.evaluate import ACLs
from mta.acl.expansion import ExpansionACLs
from mta.assembly import (
    Assembly,
    built_in_macros,
    state_directory,
)
from mta.config.configuration import Configuration
from mta.delivery.attempt import Attempt
from mta.delivery.bounce_options import BounceOptions
from mta.delivery.callout import Callouts
from mta.delivery.callout_options import CalloutOptions
from mta.delivery.queue_options import QueueOptions
from mta.delivery.queue_runner import QueueRunner
from mta.delivery.queued_message import RunRequest
from mta.delivery.reports import Reports
from mta.delivery.retry import Retry, RetryOptions
from mta.delivery.retry_rules import parse_retry_rules
from mta.delivery.routing import RouterChain
from mta.delivery.tls_report_options import TLSReportOptions
from mta.delivery.tls_results import TLSResults, keep_days, results_path
from mta.delivery.verify import RoutingVerifier
from mta.errors import ConfigurationError
from mta.expand.command_runner import CommandRunner
from mta.hints import Hints
from mta.message import Message
from mta.options import parse_interval
from mta.ownership import make_directory
from mta.reception.acceptance import Acceptance, IMessageStore, MessageOptions
from mta.reception.acl_options import ACLOptions
from mta.reception.connections import Connections
from mta.reception.etrn import RequestedRuns
from mta.reception.listener import listening_places
from mta.reception.ocsp_options import OCSPOptions
from mta.reception.ocsp_refresh import build_refresher
from mta.reception.options import ListenerOptions, SMTPOptions
from mta.reception.policy import Policy
from mta.reception.proxy_options import ProxyOptions
from mta.reception.proxying import ServerBehindProxies, behind_proxies
from mta.reception.server import ESMTPFactory
from mta.reception.tls import ServerCertificates
from mta.reception.tls_options import TLSOptions
from mta.spool.listing import QueueEntry
from mta.spool.store import MessageStore

if TYPE_CHECKING:
    from mta.delivery.tls_reports import TLSReports
    from mta.ocsp.refresher import Refresher

THREADS = 10
ServingFactory = ESMTPFactory | ServerBehindProxies
F = TypeVar("F", bound=ESMTPFactory)


@dataclass(slots=True)
class Parts:
    """What accepts, keeps and delivers mail; ``start`` opens the spool."""

    assembly: Assembly
    store: MessageStore
    hints: Hints
    runner: QueueRunner
    policy: Policy
    acceptance: Acceptance
    threads: ThreadPool
    tls_results: TLSResults | None = None

    def start(self) -> None:
        """Open the spool and begin to work.  Raises SpoolError."""
        make_places(self.assembly)
        self.store.start()
        self.hints.start()
        self.threads.start()

    async def stop(self) -> None:
        """End what is under way and give back what is claimed."""
        await self.runner.when_idle()
        for transport in self.assembly.configuration.transports.values():
            await transport.close()
        await self.store.stop()
        self.hints.close()
        if self.tls_results is not None:
            self.tls_results.close()
        self.threads.stop()
        self.assembly.logs.close()


def build_parts(
    assembly: Assembly,
    reactor: Any,
    *,
    queue_interval: str | None = None,
    accepted: Callable[[Message], None] | None = None,
) -> Parts:
    """Return the parts; nothing on disk is touched before ``Parts.start``.

    ``accepted`` takes each message that was accepted, in place of the queue runner.
    Raises ConfigurationError.
    """
    configuration, site, logs = assembly.configuration, assembly.site, assembly.logs
    spool = assembly.spool
    acls = ACLs(configuration.acls, assembly.acl_language)
    site.run_command = CommandRunner(reactor, site.environment)
    site.run_acl = ExpansionACLs(acls, logs, _pause(reactor))
    store = MessageStore(
        os.path.join(spool, "queue"),
        call_in_reactor=reactor.callFromThread,
        clock=time.time,
        logs=logs,
        later=partial(reactor.callLater, 0),
    )
    hints = site.hints = assembly.hints()
    results = site.tls_results = _build_tls_results(assembly)
    runner = _build_runner(assembly, store, hints, reactor, queue_interval)
    threads = ThreadPool(0, THREADS, "delivery")
    for router in configuration.routers.values():
        router.attach(transports=configuration.transports)
    for transport in configuration.transports.values():
        transport.attach(reactor=reactor, thread_pool=threads)
    requested = RequestedRuns(run=partial(_run_for, runner), logs=logs)
    policy = _build_policy(assembly, acls, reactor, requested.start)
    acceptance = build_acceptance(assembly, store, policy, accepted or runner.accepted)
    return Parts(assembly, store, hints, runner, policy, acceptance, threads, results)


def build_acceptance(
    assembly: Assembly,
    store: IMessageStore,
    policy: Policy,
    accepted: Callable[[Message], None],
) -> Acceptance:
    """Return what takes messages into a store."""
    configuration, logs = assembly.configuration, assembly.logs
    return Acceptance(
        store=store,
        policy=policy,
        site=assembly.site,
        logs=logs,
        options=configuration.main(MessageOptions),
        accepted=accepted,
        clock=time.time,
        log_directory=os.path.dirname(logs.path("main")),
        queue_only=configuration.main(QueueOptions).queue_only,
    )


def make_places(assembly: Assembly) -> None:
    """Make the directories of the spool and the logs.

    Where root's spool is the state directory, as in shipped configurations, the mail
    user gets the directory in which those deliver: deliveries do not run as root, and
    could not make it.
    """
    for directory in (assembly.spool, os.path.dirname(assembly.logs.path("main"))):
        make_directory(directory, 0o751)
    if os.geteuid() or assembly.spool != state_directory():
        return
    entry = pwd.getpwnam(built_in_macros()["_MAIL_USER"])
    directory = os.path.join(state_directory(), "mail")
    with suppress(FileExistsError):
        os.mkdir(directory, 0o750)
        os.chown(directory, entry.pw_uid, entry.pw_gid)


def _pause(reactor: Any) -> Callable[[float], Awaitable[object]]:
    def pause(seconds: float) -> Deferred[None]:
        return deferLater(reactor, seconds, lambda: None)

    return pause


def _build_runner(
    assembly: Assembly,
    store: MessageStore,
    hints: Hints,
    reactor: Any,
    queue_interval: str | None,
) -> QueueRunner:
    configuration, site, logs = assembly.configuration, assembly.site, assembly.logs
    options = configuration.main(QueueOptions)
    retry = Retry(
        hints=hints,
        rules=parse_retry_rules(configuration.retry),
        options=configuration.main(RetryOptions),
    )
    reports = Reports(
        store=store, site=site, logs=logs, options=configuration.main(BounceOptions)
    )
    attempt = Attempt(
        routers=configuration.routers,
        transports=configuration.transports,
        store=store,
        retry=retry,
        reports=reports,
        site=site,
        logs=logs,
        options=options,
        pause=_pause(reactor),
    )
    return QueueRunner(
        store=store,
        attempt=attempt,
        options=options,
        site=site,
        clock=reactor,
        logs=logs,
        interval=parse_interval(queue_interval) if queue_interval else None,
    )


async def _run_for(runner: QueueRunner, text: str) -> None:
    """Make a queue run over the messages that wait for a recipient with a text."""
    wanted = text.lower()

    def matches(entry: QueueEntry) -> bool:
        return any(
            wanted in address.lower() for address, done in entry.recipients if not done
        )

    await runner.run_once(RunRequest(flags=f"-R {text}", forced=True, match=matches))


def _build_tls_results(assembly: Assembly) -> TLSResults | None:
    options = assembly.configuration.main(TLSReportOptions)
    days = keep_days(options.tls_results_keep)
    if not days:
        return None
    return TLSResults(
        results_path(assembly.spool), keep_days=days, report=assembly.logs.panic
    )


def build_tls_reports(parts: Parts, reactor: Any) -> TLSReports | None:
    """Return the service that sends TLS reports; None where none are to be sent."""
    assembly, results = parts.assembly, parts.tls_results
    options = assembly.configuration.main(TLSReportOptions)
    resolver = assembly.site.resolver
    if not options.tls_rpt or results is None or resolver is None:
        return None
    # Start-up time: only a daemon that sends reports needs the web client.
    from mta.delivery.tls_report_post import ReportPoster  # noqa: PLC0415
    from mta.delivery.tls_report_sending import ReportSending  # noqa: PLC0415
    from mta.delivery.tls_reports import TLSReports  # noqa: PLC0415

    return TLSReports(
        results=results,
        sending=ReportSending(
            store=parts.store,
            accepted=parts.runner.accepted,
            post=ReportPoster(reactor, resolver).post,
            site=assembly.site,
            logs=assembly.logs,
        ),
        resolver=resolver,
        options=options,
        site=assembly.site,
        logs=assembly.logs,
        clock=reactor,
        locks=os.path.join(assembly.spool, "locks"),
        in_thread=partial(deferToThreadPool, reactor, parts.threads),
    )


def _build_policy(
    assembly: Assembly, acls: ACLs, reactor: Any, deliver_for: Callable[[str], bool]
) -> Policy:
    configuration = assembly.configuration
    chain = RouterChain(configuration.routers)
    return Policy(
        site=assembly.site,
        options=configuration.main(ACLOptions),
        acls=acls,
        verifier=RoutingVerifier(chain, _build_callouts(configuration, reactor)),
        logs=assembly.logs,
        sleep=_pause(reactor),
        deliver_for=deliver_for,
    )


def _build_callouts(configuration: Configuration, reactor: Any) -> Callouts:
    ports: set[int] = set()
    with suppress(ConfigurationError):
        # Who listens says what is wrong; others need no ports.
        options = configuration.main(ListenerOptions)
        ports.update(place.port for place in listening_places(options))
    return Callouts(
        transports=configuration.transports,
        options=configuration.main(CalloutOptions),
        reactor=reactor,
        own_ports=frozenset(ports),
    )


def build_certificates(
    assembly: Assembly, reactor: Any, *, is_listening: bool
) -> tuple[ServerCertificates, Refresher | None]:
    """Return what serves certificates, and what keeps their OCSP proofs, if wanted.

    Nothing is loaded before it is asked to.  Raises ConfigurationError.
    """
    options = assembly.configuration.main(TLSOptions)
    named = options.tls_certificate
    proofs = None
    if is_listening:
        proofs = build_refresher(
            assembly.configuration.main(OCSPOptions),
            site=assembly.site,
            logs=assembly.logs,
            reactor=reactor,
            served=lambda: serving.served(),  # noqa: PLW0108 - it is made below
            resumes=named is not None and named.constant is None,
        )
    serving = ServerCertificates(
        options,
        host_name=assembly.site.primary_hostname,
        logs=assembly.logs,
        clock=assembly.site.clock,
        proofs=proofs,
    )
    return serving, proofs


def build_factories(
    parts: Parts, certificates: ServerCertificates, reactor: Any
) -> tuple[ServingFactory, ServingFactory]:
    """Return what serves ports in clear, and ports on which TLS begins at once."""
    assembly = parts.assembly
    server: ESMTPFactory = build_server(parts, certificates, reactor)
    proxies = Connections()
    clear, secure = (
        behind_proxies(
            factory,
            options=assembly.configuration.main(ProxyOptions),
            site=assembly.site,
            logs=assembly.logs,
            clock=reactor,
            proxies=proxies,
        )
        for factory in (server, server.for_tls_on_connect())
    )
    return clear, secure


def build_server(
    parts: Parts,
    certificates: ServerCertificates | None,
    reactor: Any,
    kind: type[F] = ESMTPFactory,  # type: ignore[assignment]
) -> F:
    """Return the SMTP server's factory; without certificates it offers no TLS."""
    assembly = parts.assembly
    return kind(
        site=assembly.site,
        options=assembly.configuration.main(SMTPOptions),
        policy=parts.policy,
        acceptance=parts.acceptance,
        tls=certificates,
        logs=assembly.logs,
        clock=reactor,
        limits=Connections(),
    )
