"""Start the daemon: what ``-bd`` means is ``twistd mta``."""

from __future__ import annotations

import os
import sys

from mta.assembly import Assembly
from mta.commands.arguments import Arguments, Mode
from mta.commands.caller import may_administer


def start(assembly: Assembly, arguments: Arguments) -> int:
    """Run the daemon; in the background (``-bd``) return once its ports are open."""
    from twisted.scripts.twistd import run  # noqa: PLC0415 - start-up time

    if not may_administer(assembly):
        return 1
    words = ["twistd", *_twistd_options(assembly, arguments), "mta"]
    words += ["--config", os.path.abspath(assembly.configuration.path)]
    for name, value in arguments.macros.items():
        words += ["--define", f"{name}={value}"]
    if arguments.listen is not None:
        words += ["--listen", arguments.listen]
    if arguments.queue_interval is not None:
        words += ["--queue-interval", arguments.queue_interval]
    if _only_runs_queue(arguments):
        words.append("--no-listen")
    if arguments.mode is Mode.DAEMON:
        words.append("--quiet")
    assembly.logs.close()
    sys.argv = words
    run()  # type: ignore[no-untyped-call]
    return 0


def _only_runs_queue(arguments: Arguments) -> bool:
    return arguments.queue_interval is not None and not arguments.asked_daemon


def _twistd_options(assembly: Assembly, arguments: Arguments) -> list[str]:
    options = ["--pidfile", pid_file(assembly, arguments)]
    if arguments.mode is Mode.FOREGROUND_DAEMON:
        return ["--nodaemon", *options]
    folder = os.path.join(assembly.spool, "log")
    os.makedirs(folder, mode=0o750, exist_ok=True)
    return [
        *options,
        "--logfile",
        os.path.join(folder, "twistd.log"),
        "--rundir",
        assembly.spool,
        "--umask",
        "022",
    ]


def pid_file(assembly: Assembly, arguments: Arguments) -> str:
    """Return where the daemon's pid is written; empty for nowhere.

    As in Exim the default file belongs to the daemon on the configured ports: with
    ``-oX`` none is written unless ``-oP`` names one.
    """
    if arguments.no_pid_file:
        return ""
    if arguments.pid_file is not None:
        return os.path.abspath(arguments.pid_file)
    if arguments.listen is not None:
        return ""
    if assembly.options.pid_file_path is not None:
        return assembly.expand(assembly.options.pid_file_path)
    os.makedirs(assembly.spool, mode=0o750, exist_ok=True)
    return os.path.join(assembly.spool, "exim-daemon.pid")
