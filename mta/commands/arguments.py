"""The command line in Exim's and sendmail's form (Exim chapter 5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from mta.options import parse_interval
from mta.spool.message_id import is_message_id


class Mode(Enum):
    """What the command is asked to do; the value is the option that asks it."""

    SUBMIT = "-bm"
    DAEMON = "-bd"
    FOREGROUND_DAEMON = "-bdf"
    SMTP = "-bs"
    BATCH_SMTP = "-bS"
    LIST_QUEUE = "-bp"
    COUNT_QUEUE = "-bpc"
    RUN_QUEUE = "-q"
    TEST_ADDRESS = "-bt"
    VERIFY_ADDRESS = "-bv"
    VERIFY_SENDER = "-bvs"
    EXPAND = "-be"
    SHOW_OPTIONS = "-bP"
    VERSION = "-bV"
    RETRY_RULE = "-brt"
    REBUILD_ALIASES = "-bi"
    DELIVER = "-M"
    REMOVE = "-Mrm"
    FREEZE = "-Mf"
    THAW = "-Mt"
    GIVE_UP = "-Mg"
    ADD_RECIPIENT = "-Mar"
    MARK_ALL = "-Mmad"
    MARK_DELIVERED = "-Mmd"
    EDIT_SENDER = "-Mes"
    SHOW_HEADER = "-Mvh"
    SHOW_BODY = "-Mvb"
    SHOW_MESSAGE = "-Mvc"
    SHOW_LOG = "-Mvl"
    HELP = "--help"
    RATES = "ratelimit"
    PROXY_CHECK = "proxy-check"
    OCSP = "ocsp"
    TLS_STATUS = "tls-status"


class DeliveryMode(Enum):
    """When a submitted message is delivered; the value is the option's end."""

    BACKGROUND = "b"
    FOREGROUND = "f"
    QUEUE = "q"


class UsageError(Exception):
    """The command line makes no sense; the text is shown to the caller."""


@dataclass(slots=True)
class Arguments:
    """A parsed command line.

    ``operands`` is what is left when the options are gone: recipients, message ids,
    addresses, strings.  ``queue_flags`` are the letters behind ``-q`` (``ff``,
    ``i``); ``recipient_match`` and ``sender_match`` come from ``-R`` and ``-S``.
    ``origin`` holds what ``-oM`` faked, by the option's letter.  ``asked_daemon`` is
    False for a daemon that only ``-q30m`` asks for: it does not listen.
    ``mode_option`` is the option that chose the mode, empty where none did.
    """

    mode: Mode = Mode.SUBMIT
    operands: list[str] = field(default_factory=list)
    config_files: list[str] = field(default_factory=list)
    macros: dict[str, str] = field(default_factory=dict)
    listen: str | None = None
    pid_file: str | None = None
    no_pid_file: bool = False
    queue_interval: str | None = None
    queue_flags: str = ""
    recipient_match: str | None = None
    sender_match: str | None = None
    list_flags: str = ""
    forced: bool = True
    sender: str | None = None
    full_name: str | None = None
    extract_recipients: bool = False
    dot_ends: bool = True
    delivery_mode: DeliveryMode = DeliveryMode.BACKGROUND
    error_mode: str = "m"
    origin: dict[str, str] = field(default_factory=dict)
    values_only: bool = False
    verbose: bool = False
    asked_daemon: bool = False
    no_qualify: bool = False
    suppress_fix_ups: bool = False
    mode_option: str = ""


_NAMES = {
    "mailq": ["-bp"],
    "runq": ["-q"],
    "rsmtp": ["-bS"],
    "rmail": ["-i", "-oee"],
    "newaliases": ["-bi"],
}
# What Exim's command line has no option for; "--" before such a word makes it a
# recipient.
_WITH_OWN_OPTIONS = (Mode.OCSP, Mode.TLS_STATUS)
_WORDS = {m.value: m for m in (Mode.RATES, Mode.PROXY_CHECK, *_WITH_OWN_OPTIONS)}
_OWN_NAMES = ("mta", "__main__.py")
_MODES = {
    mode.value: mode
    for mode in Mode
    if mode not in (Mode.RUN_QUEUE, Mode.DELIVER, Mode.HELP, *_WORDS.values())
}
_WITH_VALUES = frozenset({Mode.ADD_RECIPIENT, Mode.MARK_DELIVERED, Mode.EDIT_SENDER})
_ON_MESSAGES = _WITH_VALUES | {
    Mode.DELIVER,
    Mode.REMOVE,
    Mode.FREEZE,
    Mode.THAW,
    Mode.GIVE_UP,
    Mode.MARK_ALL,
    Mode.SHOW_HEADER,
    Mode.SHOW_BODY,
    Mode.SHOW_MESSAGE,
    Mode.SHOW_LOG,
}
# Taken without effect, for callers written for sendmail (section 10 of the
# command's manual page).
_IGNORED = re.compile(r"-(B.*|h\d+|m|oo|om|U|x|Ac|Am|O\S+|pd|ps|X\S+)\Z")
_IGNORED_WITH_VALUE = {"-h", "-O", "-X"}


def parse_arguments(program: str, words: list[str]) -> Arguments:
    """Return what a command line asks for.

    ``program`` is the last part of the name the command was called by; it may imply
    options (``mailq`` is ``-bp``).  Raises UsageError.
    """
    arguments = Arguments()
    rest = [*_NAMES.get(program, ()), *words]
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments.operands += rest
            break
        if word in _WORDS and program in _OWN_NAMES and _is_first(arguments):
            _choose(arguments, _WORDS[word], word)
            if arguments.mode in _WITH_OWN_OPTIONS:
                arguments.operands = rest
                break
        elif not word.startswith("-") or word == "-":
            arguments.operands.append(word)
        elif not _read_option(arguments, word, rest):
            raise UsageError(f"unknown, malformed, or incomplete option {word}")
    _check_operands(arguments)
    return arguments


def _check_operands(arguments: Arguments) -> None:
    """Refuse a command on messages that names none, or what cannot be one."""
    if arguments.mode not in _ON_MESSAGES:
        return
    option, operands = arguments.mode_option, arguments.operands
    if not operands:
        raise UsageError(f"no message ids given after {option} option")
    if arguments.mode in _WITH_VALUES:
        if len(operands) < 2:
            raise UsageError(f"no address given after {option} option")
        if arguments.mode is Mode.EDIT_SENDER and len(operands) > 2:
            raise UsageError(f"only one sender address can be given after {option}")
        operands = operands[:1]
    for message_id in operands:
        if not is_message_id(message_id):
            raise UsageError(f"malformed message id {message_id} after {option} option")


def _choose(arguments: Arguments, mode: Mode, word: str) -> None:
    """Take a mode; raise UsageError where another was asked for already."""
    if arguments.mode_option and arguments.mode is not mode:
        both = {arguments.mode, mode}
        if both != {Mode.DAEMON, Mode.FOREGROUND_DAEMON}:
            raise UsageError(f"incompatible options {arguments.mode_option} and {word}")
        mode = Mode.FOREGROUND_DAEMON
    arguments.mode = mode
    arguments.mode_option = word


def _is_first(arguments: Arguments) -> bool:
    return arguments.mode is Mode.SUBMIT and not arguments.operands


def _read_option(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word in ("--help", "-bI:help"):
        arguments.mode = Mode.HELP
    elif word == "--version":
        arguments.mode = Mode.VERSION
    elif word in _MODES:
        _choose(arguments, _MODES[word], word)
        if arguments.mode in (Mode.DAEMON, Mode.FOREGROUND_DAEMON):
            arguments.asked_daemon = True
    elif word in _IGNORED_WITH_VALUE:
        if rest:
            rest.pop(0)
    elif _IGNORED.match(word):
        pass
    else:
        reader = _readers(word)
        return reader is not None and reader(arguments, word, rest)
    return True


_Reader = Callable[[Arguments, str, list[str]], bool]


def _value(word: str, prefix: str, rest: list[str]) -> str:
    if len(word) > len(prefix):
        return word[len(prefix) :]
    if not rest:
        raise UsageError(f"unknown, malformed, or incomplete option {word}")
    return rest.pop(0)


def _config(arguments: Arguments, word: str, rest: list[str]) -> bool:
    arguments.config_files = _value(word, "-C", rest).split(":")
    return True


def _macro(arguments: Arguments, word: str, rest: list[str]) -> bool:
    name, _, value = _value(word, "-D", rest).partition("=")
    name = name.strip()
    if not re.fullmatch(r"[A-Z]\w*", name):
        raise UsageError(f"{word}: a macro's name begins with a capital letter")
    arguments.macros[name] = value.strip()
    return True


def _queue(arguments: Arguments, word: str, rest: list[str]) -> bool:
    # Messages for one host share connections in any run, as in a run with two passes.
    match = re.fullmatch(r"-q(q?)(i?f{0,2})((?:\d+[wdhms])*\d*)", word)
    if match is None:
        return False
    flags, interval = match[2], match[3]
    if not interval:
        _choose(arguments, Mode.RUN_QUEUE, word)
        arguments.queue_flags = match[1] + flags
        return True
    if flags:
        raise UsageError(f"{word}: a daemon's queue runs take no {flags}")
    if parse_interval(interval) == 0:
        raise UsageError(f"{word}: the interval is zero")
    if arguments.mode not in (Mode.DAEMON, Mode.FOREGROUND_DAEMON):
        _choose(arguments, Mode.DAEMON, word)
    arguments.queue_interval = interval
    return True


def _match(arguments: Arguments, word: str, rest: list[str]) -> bool:
    match = re.fullmatch(r"-([RS])(r?)(f{0,2})", word)
    if match is None or not rest:
        return False
    pattern = rest.pop(0)
    if not match[2]:
        pattern = re.escape(pattern)
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{word}: {pattern!r} is no pattern: {error}") from error
    if arguments.mode is not Mode.RUN_QUEUE:
        _choose(arguments, Mode.RUN_QUEUE, word)
    arguments.queue_flags += match[3]
    if match[1] == "R":
        arguments.recipient_match = pattern
    else:
        arguments.sender_match = pattern
    return True


def _list(arguments: Arguments, word: str, rest: list[str]) -> bool:
    match = re.fullmatch(r"-bp([arui]+)", word)
    if match is None:
        return False
    _choose(arguments, Mode.LIST_QUEUE, word)
    arguments.list_flags = match[1]
    return True


def _deliver(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word not in ("-M", "-Mc"):
        return False
    _choose(arguments, Mode.DELIVER, word)
    arguments.forced = word == "-M"
    return True


def _sender(arguments: Arguments, word: str, rest: list[str]) -> bool:
    arguments.sender = _value(word, word[:2], rest)
    return True


def _full_name(arguments: Arguments, word: str, rest: list[str]) -> bool:
    arguments.full_name = _value(word, "-F", rest)
    return True


def _origin(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if not re.fullmatch(r"-oM(a|aa|ai|as|i|m|r|s|t)", word) or not rest:
        return False
    arguments.origin[word[3:]] = rest.pop(0)
    return True


def _protocol(arguments: Arguments, word: str, rest: list[str]) -> bool:
    protocol, _, host_name = word[2:].partition(":")
    if not protocol:
        return False
    arguments.origin["r"] = protocol
    if host_name:
        arguments.origin["s"] = host_name
    return True


def _other(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word == "-oX":
        arguments.listen = _value(word, "-oX", rest)
    elif word == "-oP":
        arguments.pid_file = _value(word, "-oP", rest)
    elif word == "-oPX":
        arguments.no_pid_file = True
    elif re.fullmatch(r"-od[bfiq]", word):
        letter = "f" if word[3] == "i" else word[3]
        arguments.delivery_mode = DeliveryMode(letter)
    elif re.fullmatch(r"-oe[empqw]", word):
        arguments.error_mode = {"w": "m", "q": "p"}.get(word[3], word[3])
    elif re.fullmatch(r"-oM\w+", word):
        return _origin(arguments, word, rest)
    else:
        return False
    return True


_SIMPLE: dict[str, tuple[str, object]] = {
    "-t": ("extract_recipients", True),
    "-i": ("dot_ends", False),
    "-oi": ("dot_ends", False),
    "-oitrue": ("dot_ends", False),
    "-n": ("values_only", True),
    "-v": ("verbose", True),
    "-ov": ("verbose", True),
    "-G": ("suppress_fix_ups", True),
    "-bnq": ("no_qualify", True),
}


def _simple(arguments: Arguments, word: str, rest: list[str]) -> bool:
    name, value = _SIMPLE[word]
    setattr(arguments, name, value)
    return True


def _together(arguments: Arguments, word: str, rest: list[str]) -> bool:
    arguments.extract_recipients = True
    arguments.dot_ends = False
    return True


_PREFIXES: tuple[tuple[str, _Reader], ...] = (
    ("-C", _config),
    ("-D", _macro),
    ("-q", _queue),
    ("-R", _match),
    ("-S", _match),
    ("-bp", _list),
    ("-M", _deliver),
    ("-f", _sender),
    ("-r", _sender),
    ("-F", _full_name),
    ("-p", _protocol),
    ("-o", _other),
)


def _readers(word: str) -> _Reader | None:
    if word in _SIMPLE:
        return _simple
    if word == "-ti":
        return _together
    for prefix, reader in _PREFIXES:
        if word.startswith(prefix):
            return reader
    return None
