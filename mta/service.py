"""``twistd mta``: read the configuration, build the parts, hand each what it needs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.python.failure import Failure

import mta
from mta import start_up
from mta.assembly import (
    Assembly,
    assemble,
    default_configuration,
    login_name,
    state_directory,
)
from mta.errors import ConfigurationError, MTAError
from mta.late_modules import load_the_rest
from mta.options import parse_interval
from mta.parts import (
    build_certificates,
    build_factories,
    build_parts,
    build_tls_reports,
    make_places,
)
from mta.reactor_turns import serve_directly
from mta.reception.listener import Listener, listening_places
from mta.reception.options import ListenerOptions


class Options(usage.Options):
    """What ``twistd mta`` takes."""

    synopsis = "[options]"
    longdesc = (
        "A mail transfer agent that reads Exim's configuration language. Without "
        "options it serves this machine alone, on the loopback addresses, port 2525."
    )
    optParameters = [
        ["config", "C", None, "The configuration file (or a colon list: the first "
         "that exists); by default the one that is shipped."],
        ["listen", None, None, "Ports and addresses to listen on, as Exim's -oX."],
        ["queue-interval", "q", None, "How often to run the queue, for instance 30m."],
        ["workers", None, 1, "The number of processes; only 1 for now.", int],
    ]  # fmt: skip
    optFlags = [
        ["no-listen", None, "Run the queue only."],
        ["quiet", None, "Do not show the main log on standard output."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["macros"] = {}

    def opt_define(self, definition: str) -> None:
        """Define a macro for the configuration, as NAME=VALUE."""
        name, separator, value = definition.partition("=")
        if not separator or not name[:1].isupper() or not name.isidentifier():
            raise usage.UsageError(
                f"--define {definition}: NAME=VALUE is wanted, and the name begins "
                "with a capital letter"
            )
        self["macros"][name] = value

    opt_D = opt_define

    def postOptions(self) -> None:
        """Refuse values that make no sense."""
        if self["workers"] != 1:
            raise usage.UsageError("--workers: only one worker is supported so far")
        if self["queue-interval"] is not None:
            try:
                parse_interval(self["queue-interval"])
            except ValueError as error:
                raise usage.UsageError(f"--queue-interval: {error}") from error


def makeService(options: Options) -> IService:
    """Return the service that is the whole MTA.

    A configuration that cannot be used is told in a line per error on standard
    error, and ends the process with status 1.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - twistd may install another

    try:
        assembly = assemble(
            options["config"].split(":") if options["config"] else [],
            options["macros"],
            reactor=lambda: reactor,
            echo=None if options["quiet"] else _echo,
            # Nothing is written before privileges are dropped.
            later=lambda write: reactor.callLater(0, write),
        )
        return MTAService(assembly, reactor, options)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            print(f"mta: {line}", file=sys.stderr)
        raise SystemExit(1) from error


def _echo(octets: bytes) -> None:
    with suppress(OSError):
        os.write(1, octets)


class MTAService(MultiService):
    """The daemon: listener, queue runner, and what they stand on.

    Building it touches neither the disk nor the network.  Raises ConfigurationError.
    """

    def __init__(self, assembly: Assembly, reactor: Any, options: Options) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.assembly = assembly
        self._options = options
        self._reactor = reactor
        self._interval: str | None = options["queue-interval"]
        self._parts = build_parts(assembly, reactor, queue_interval=self._interval)
        self._certificates, proofs = build_certificates(
            assembly, reactor, is_listening=not options["no-listen"]
        )
        if proofs is not None:
            proofs.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._heeds_hang_up = False
        self.listener: Listener | None = None
        if not options["no-listen"]:
            listening = assembly.configuration.main(ListenerOptions)
            self.listener = Listener(
                build_factories(self._parts, self._certificates, reactor),
                listening_places(listening, options["listen"]),
                listening,
                reactor=reactor,
                logs=assembly.logs,
            )
            self.listener.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._parts.runner.setServiceParent(self)  # type: ignore[no-untyped-call]
        reports = build_tls_reports(self._parts, reactor)
        if reports is not None:
            reports.setServiceParent(self)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """Open the ports, and make the spool for the user that twistd becomes."""
        with self._fatal():
            owner = self._owner()
            if owner is not None:
                prepare_spool(self.assembly, *owner)
                load_the_rest()
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def _owner(self) -> tuple[int, int] | None:
        """Return the user and group that twistd becomes, if it changes them."""
        twistd = getattr(self._options, "parent", None) or {}
        uid, gid = twistd.get("uid"), twistd.get("gid")
        if uid is None and gid is None:
            return None
        return (-1 if uid is None else uid, -1 if gid is None else gid)

    def startService(self) -> None:
        """Open the spool, then serve."""
        with self._fatal():
            self._parts.start()
            self._certificates.prepare()
            for warning in self.assembly.configuration.advice:
                self.assembly.logs.main(f"Warning: {warning}")
            super().startService()  # type: ignore[no-untyped-call]
        self._heed_hang_up()
        serve_directly(self._reactor)
        start_up.finish()
        for line in self._introduction():
            self.assembly.logs.main(line)

    def _heed_hang_up(self) -> None:
        """Let SIGHUP, which would end the process, be no more than a hint."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
            return
        with suppress(ValueError):  # Only the main thread has signals.
            signal.signal(
                signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._hung_up)
            )
            self._heeds_hang_up = True

    def _hung_up(self) -> None:
        self._certificates.look_again()
        self.assembly.logs.main(
            "SIGHUP received: files of TLS are looked at again; "
            "a changed configuration needs a restart"
        )

    def stopService(self) -> Deferred[None]:
        """Close the ports, let deliveries end, and give back what is claimed."""
        stopping = Deferred.fromCoroutine(self._wind_up(super().stopService))
        stopping.addErrback(self._tell_trouble)
        return stopping

    async def _wind_up(self, stop_children: Callable[[], Deferred[object]]) -> None:
        await stop_children()
        await self._parts.stop()
        if self._heeds_hang_up:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def _tell_trouble(self, failure: Failure) -> None:
        self.assembly.logs.panic(f"trouble at the end: {failure.getErrorMessage()}")

    @contextmanager
    def _fatal(self) -> Iterator[None]:
        """Log what keeps the daemon from starting, and end it with status 1."""
        try:
            yield
        except (MTAError, OSError) as error:
            with suppress(OSError):
                self.assembly.logs.panic(f"{error}: daemon abandoned")
            twistd = getattr(self._options, "parent", None) or {}
            if not twistd.get("nodaemon", True):
                # twistd tells the waiting parent process what it was.
                raise
            print(f"mta: {error}", file=sys.stderr)
            raise SystemExit(1) from error

    def _introduction(self) -> Iterator[str]:
        """Give the log's first lines: what runs here, and where everything is."""
        assembly = self.assembly
        runs = f"-q{self._interval}" if self._interval else "no queue runs"
        listening = "not listening for SMTP"
        if self.listener is not None:
            listening = f"listening for {self.listener}"
        yield (
            f"mta {mta.__version__} daemon started: pid={os.getpid()}, {runs}, "
            f"{listening}"
        )
        yield (
            f"configuration {assembly.configuration.path}; "
            f"spool directory {assembly.spool}; log {assembly.logs.path('main')}"
        )
        if assembly.configuration.path == default_configuration():
            caller = login_name(os.getuid())
            yield f"mailboxes (Maildir) in {os.path.join(state_directory(), 'mail')}"
            if self.listener is not None:
                place = self.listener.places[0]
                yield (
                    f"send a first message: swaks --server {place.address} "
                    f"--port {place.port} --to {caller}@localhost"
                )


def prepare_spool(assembly: Assembly, uid: int, gid: int) -> None:
    """Make the spool directory, and give what root made in it to a user."""
    make_places(assembly)
    for directory in (assembly.spool, os.path.dirname(assembly.logs.path("main"))):
        if os.stat(directory).st_uid == 0:
            os.chown(directory, uid, gid)
