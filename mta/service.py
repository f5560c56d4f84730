"""``twistd mta``: read the configuration, build the parts, hand each what it needs."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService, Service
from twisted.python import usage

from mta.assembly import Assembly, assemble
from mta.errors import ConfigurationError
from mta.options import parse_interval
from mta.parts import Parts, build_parts


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
        super().__init__()
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

    echo = None if options["quiet"] else _echo
    try:
        assembly = assemble(
            options["config"].split(":") if options["config"] else [],
            options["macros"],
            reactor=lambda: reactor,
            echo=echo,
        )
        parts = build_parts(assembly, reactor)
        return MTAService(assembly, parts, reactor, options)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            print(f"mta: {line}", file=sys.stderr)
        raise SystemExit(1) from error


def _echo(line: str) -> None:
    print(line, flush=True)


class MTAService(MultiService):
    """The daemon: listeners, queue runner, and what they stand on."""
