"""The command ``mta``, and ``sendmail``, ``mailq`` and others where it has that name."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from mta import start_up
from mta.assembly import Assembly, assemble
from mta.commands.arguments import Arguments, Mode, UsageError, parse_arguments
from mta.commands.caller import may_administer, may_queue
from mta.commands.streams import (
    discard_output,
    flush_output,
    open_standard_streams,
)
from mta.commands.waiting import the_reactor
from mta.errors import ConfigurationError, MTAError

_DESCRIPTION = """\
mta is a mail transfer agent.  Programs call it to send mail, an administrator to
look at the queue and to check a configuration.  "mta --help" lists its options.
"""

_HELP = """\
usage: mta [options] [recipients, message ids, addresses or strings]

Sending:    mta [-i] [-t] [-f SENDER] [-F NAME] [-odb|-odf|-odq] [RECIPIENT...]
            a message on standard input; -bs and -bS speak SMTP there
Daemon:     -bd [-q30m]    in the background; -bdf stays in the foreground
            -oX LIST       ports and addresses;  -oP FILE  pid file
Queue:      -bp            list (-bpa -bpu -bpr -bpi);  -bpc  count
            -q -qf -qff    run it once;  -R TEXT, -S TEXT  for a recipient, a sender
            -M ID...       deliver now;  -Mf freeze  -Mt thaw  -Mg give up  -Mrm remove
            -Mar ID ADDRESS  add recipient   -Mes ID ADDRESS  edit sender
            -Mmad ID, -Mmd ID ADDRESS        mark as delivered
            -Mvh -Mvb -Mvc -Mvl ID           show header, body, all, log
Checking:   -bV            version, and check the configuration
            -bP [NAME...]  show options;  -be [STRING...]  expand strings
            -bt ADDRESS... route;  -bv verify recipient;  -bvs verify sender
            -brt DOMAIN [DOMAIN] [ERROR]     show the retry rule
Proxies:    proxy-check HOST[:PORT] [tls]    what a server makes of PROXY headers
OCSP:       ocsp fetch     a proof that a certificate is good, into a file;
            ocsp verify    one in a file;  ocsp --help
            ocsp status    of all our certificates, and of their proofs
TLS:        tls-status [DOMAIN] [--if hosts_require_ocsp=LIST]
            what other hosts proved, and what would fail;  tls-status --help
Rates:      ratelimit show [KEY]             that the ACL condition has measured
Everywhere: -v             show what is logged on standard error
            -C FILE        configuration (a list: the first that exists)
            -D NAME=VALUE  define a macro

Exit status: 0 success; 1 failure or wrong use; 2 an address that fails for good (-bt,
-bv), or a message that is lost since its sender cannot be told what is wrong with it.
"""

_Command = Callable[[Assembly, Arguments], int]
# Only the module of the command that is asked for is loaded: start-up time.
_COMMANDS: dict[Mode, str] = {
    Mode.SUBMIT: "sendmail.submit",
    Mode.SMTP: "smtp_input.speak_smtp",
    Mode.BATCH_SMTP: "smtp_input.read_batch",
    Mode.DAEMON: "daemon.start",
    Mode.FOREGROUND_DAEMON: "daemon.start",
    Mode.LIST_QUEUE: "queue.list_queue",
    Mode.COUNT_QUEUE: "queue.count_queue",
    Mode.REMOVE: "queue.change_messages",
    Mode.FREEZE: "queue.change_messages",
    Mode.THAW: "queue.change_messages",
    Mode.ADD_RECIPIENT: "queue.change_messages",
    Mode.MARK_ALL: "queue.change_messages",
    Mode.MARK_DELIVERED: "queue.change_messages",
    Mode.EDIT_SENDER: "queue.change_messages",
    Mode.SHOW_HEADER: "queue.show_message",
    Mode.SHOW_BODY: "queue.show_message",
    Mode.SHOW_MESSAGE: "queue.show_message",
    Mode.SHOW_LOG: "queue.show_log",
    Mode.RUN_QUEUE: "queue_run.run_queue",
    Mode.DELIVER: "queue_run.deliver_messages",
    Mode.GIVE_UP: "queue_run.give_up",
    Mode.VERSION: "check.show_version",
    Mode.SHOW_OPTIONS: "check.show_options",
    Mode.EXPAND: "check.expand_strings",
    Mode.TEST_ADDRESS: "check.route_addresses",
    Mode.VERIFY_ADDRESS: "check.verify_addresses",
    Mode.VERIFY_SENDER: "check.verify_addresses",
    Mode.RETRY_RULE: "check.show_retry_rule",
    Mode.REBUILD_ALIASES: "check.rebuild_aliases",
    Mode.RATES: "ratelimit.show_rates",
    Mode.OCSP: "ocsp_status.show_status",
    Mode.TLS_STATUS: "tls_status.show_status",
}
# Others may look at a configuration, and send; ``-M`` and ``-Mrm`` see for themselves.
_FOR_ADMINISTRATORS = frozenset(
    {
        Mode.LIST_QUEUE,
        Mode.COUNT_QUEUE,
        Mode.RUN_QUEUE,
        Mode.FREEZE,
        Mode.THAW,
        Mode.GIVE_UP,
        Mode.ADD_RECIPIENT,
        Mode.MARK_ALL,
        Mode.MARK_DELIVERED,
        Mode.EDIT_SENDER,
        Mode.SHOW_HEADER,
        Mode.SHOW_BODY,
        Mode.SHOW_MESSAGE,
        Mode.SHOW_LOG,
        Mode.TLS_STATUS,
        Mode.OCSP,
    }
)
_ADDING = frozenset({Mode.SUBMIT, Mode.SMTP, Mode.BATCH_SMTP})


def main(words: list[str]) -> int:
    """Do what a command line asks; return the exit status.

    ``words[0]`` is the name that the command was called by.
    """
    program = os.path.basename(words[0])
    if program == "__main__.py":
        program = "mta"
    try:
        arguments = parse_arguments(program, words[1:])
    except UsageError as error:
        print(f"\n{program} abandoned: {error}\n", file=sys.stderr)
        return 1
    if arguments.mode is Mode.HELP:
        print(_HELP, end="")
        return 0
    if arguments.mode is Mode.PROXY_CHECK:
        from mta.commands.proxy_check import check_proxy  # noqa: PLC0415 - start-up

        return check_proxy(arguments)
    if arguments.mode is Mode.OCSP and arguments.operands[:1] != ["status"]:
        from mta.commands.ocsp import use_ocsp  # noqa: PLC0415 - start-up

        return use_ocsp(arguments.operands)
    if _asks_nothing(arguments):
        print(_DESCRIPTION, file=sys.stderr)
        return 1
    return _run(arguments)


def _asks_nothing(arguments: Arguments) -> bool:
    """Return whether a message would go to nobody: nothing is read for that."""
    return (
        arguments.mode is Mode.SUBMIT
        and not arguments.operands
        and not arguments.extract_recipients
    )


def _run(arguments: Arguments) -> int:
    try:
        assembly = assemble(
            arguments.config_files,
            arguments.macros,
            reactor=the_reactor,
            echo=_show if arguments.verbose else None,
        )
    except ConfigurationError as error:
        for line in str(error).splitlines():
            print(f"mta: {line}", file=sys.stderr)
        return 1
    try:
        command = _command(arguments.mode)
        start_up.finish()
        if arguments.mode in _FOR_ADMINISTRATORS and not may_administer(assembly):
            return 1
        if arguments.mode in _ADDING and not may_queue(assembly):
            return 1
        status = command(assembly, arguments)
        flush_output()
        return status
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        discard_output()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"mta: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    except (MTAError, UsageError) as error:
        print(f"mta: {error}", file=sys.stderr)
        return 1
    finally:
        assembly.logs.close()


def _show(octets: bytes) -> None:
    """Show a line of the main log to the caller (``-v``)."""
    with suppress(OSError):
        os.write(2, b"LOG: MAIN: " + octets)


def _command(mode: Mode) -> _Command:
    module, _, name = _COMMANDS[mode].partition(".")
    command: _Command = getattr(import_module(f"mta.commands.{module}"), name)
    return command


def run() -> None:
    """Entry point of the console script."""
    open_standard_streams()
    # Whatever the caller's is: what the spool's owner makes is the owner's to read.
    os.umask(0o022)
    try:
        status = main(sys.argv)
    except KeyboardInterrupt as interrupt:
        # Ends as a program does that knows nothing of the signal.
        number = interrupt.args[0] if interrupt.args else signal.SIGINT
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        raise
    sys.exit(status)
