"""The command line in Exim's and sendmail's form (Exim chapter 5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


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


_NAMES = {
    "mailq": ["-bp"],
    "runq": ["-q"],
    "rsmtp": ["-bS"],
    "rmail": ["-i", "-oee"],
    "newaliases": ["-bi"],
}
# What Exim's command line has no option for; "--" before such a word makes it a
# recipient.
_WORDS = {mode.value: mode for mode in (Mode.RATES, Mode.PROXY_CHECK)}
_OWN_NAMES = ("mta", "__main__.py")
_MODES = {
    mode.value: mode
    for mode in Mode
    if mode not in (Mode.RUN_QUEUE, Mode.DELIVER, Mode.HELP, *_WORDS.values())
}
# Taken without effect, for callers written for sendmail (section 10 of the
# command's manual page).
_IGNORED = re.compile(r"-(B.*|m|n|oo|om|ov|U|x|Ac|Am|O\S+|p\S+|G|L\S*|N0)\Z")
_IGNORED_WITH_VALUE = {"-h", "-O", "-L"}


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
            arguments.mode = _WORDS[word]
        elif not word.startswith("-") or word == "-":
            arguments.operands.append(word)
        elif not _read_option(arguments, word, rest):
            raise UsageError(f"unknown, malformed, or incomplete option {word}")
    return arguments


def _is_first(arguments: Arguments) -> bool:
    return arguments.mode is Mode.SUBMIT and not arguments.operands


def _read_option(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word in ("--help", "-bI:help"):
        arguments.mode = Mode.HELP
    elif word == "--version":
        arguments.mode = Mode.VERSION
    elif word in _MODES:
        arguments.mode = _MODES[word]
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
    match = re.fullmatch(r"-q(q?i?f{0,2}l?)((?:\d+[wdhms])*\d*)", word)
    if match is None:
        return False
    arguments.queue_flags, interval = match.groups()
    if interval:
        arguments.queue_interval = interval
        if arguments.mode is Mode.SUBMIT:
            arguments.mode = Mode.DAEMON
    elif arguments.mode not in (Mode.DAEMON, Mode.FOREGROUND_DAEMON):
        arguments.mode = Mode.RUN_QUEUE
    return True


def _match(arguments: Arguments, word: str, rest: list[str]) -> bool:
    match = re.fullmatch(r"-([RS])(r?f{0,2})", word)
    if match is None or not rest:
        return False
    pattern = rest.pop(0)
    if "r" not in match[2]:
        pattern = re.escape(pattern)
    arguments.queue_flags = match[2].replace("r", "")
    if match[1] == "R":
        arguments.recipient_match = pattern
    else:
        arguments.sender_match = pattern
    arguments.mode = Mode.RUN_QUEUE
    return True


def _list(arguments: Arguments, word: str, rest: list[str]) -> bool:
    match = re.fullmatch(r"-bp([arui]+)", word)
    if match is None:
        return False
    arguments.mode = Mode.LIST_QUEUE
    arguments.list_flags = match[1]
    return True


def _deliver(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word not in ("-M", "-Mc"):
        return False
    arguments.mode = Mode.DELIVER
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


def _other(arguments: Arguments, word: str, rest: list[str]) -> bool:
    if word == "-oX":
        arguments.listen = _value(word, "-oX", rest)
    elif word == "-oP":
        arguments.pid_file = _value(word, "-oP", rest)
    elif word == "-oPX":
        arguments.no_pid_file = True
    elif re.fullmatch(r"-od(b|f|i|q|qs)", word):
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
