"""The ``begin retry`` section: rules, and the times that they give."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from mta.errors import ConfigurationError
from mta.options import parse_interval

_PLAIN_ERRORS = frozenset(
    "* auth_failed lost_connection lookup refused refused_MX refused_A tls_required "
    "timeout_connect timeout_connect_MX timeout_connect_A timeout timeout_MX "
    "timeout_A quota".split()
)
_REPLY_ERROR = re.compile(r"(auth|mail|rcpt|data)_4(\d\d|\dx|xx)\Z")


class ILogicalLine(Protocol):
    """A line of a section that the reader leaves as it is."""

    @property
    def text(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One parameter set: until ``cutoff`` seconds after the first failure, retry
    every ``interval`` seconds (F), or with growing gaps (G, H)."""

    letter: str
    cutoff: float
    interval: float
    factor: float = 1.0

    def gap(self, last_gap: float) -> float:
        """Return the seconds until the next try, given the gap before this one."""
        if self.letter == "F":
            return self.interval
        if last_gap < self.interval:
            return self.interval
        longest = last_gap * self.factor
        if self.letter == "G":
            return longest
        return random.uniform(self.interval, max(self.interval, longest))  # noqa: S311


@dataclass(frozen=True, slots=True)
class RetryRule:
    """One retry rule; ``senders`` is None where any sender matches."""

    pattern: str
    error: str
    senders: str | None
    steps: tuple[Step, ...]

    @property
    def cutoff(self) -> float:
        """Seconds of failure after which an address is given up."""
        return self.steps[-1].cutoff if self.steps else 0.0

    def step_for(self, failing: float) -> Step:
        """Return the parameter set for something that fails for so many seconds."""
        for step in self.steps:
            if failing <= step.cutoff:
                return step
        return self.steps[-1]

    def covers(self, error_name: str) -> bool:
        """Return whether the rule is for an error (Exim chapter 32)."""
        wanted = self.error
        if wanted in ("*", error_name):
            return True
        if wanted.startswith("quota_"):
            return _unread_for(error_name) >= parse_interval(wanted[6:])
        if _REPLY_ERROR.match(wanted):
            return _reply_matches(wanted, error_name)
        if wanted.startswith("timeout"):
            kind, host_kind = _host_kind(error_name)
            wanted_kind, wanted_host_kind = _host_kind(wanted)
            return kind in ("timeout_connect", wanted_kind) and (
                wanted_host_kind in ("", host_kind)
            )
        return wanted in ("refused", "quota") and error_name.startswith(wanted + "_")


def _host_kind(error_name: str) -> tuple[str, str]:
    for ending in ("_MX", "_A"):
        if error_name.endswith(ending):
            return error_name[: -len(ending)], ending
    return error_name, ""


def _unread_for(error_name: str) -> float:
    try:
        return parse_interval(error_name.removeprefix("quota_"))
    except ValueError:
        return -1


def _reply_matches(wanted: str, error_name: str) -> bool:
    """Compare ``rcpt_45x`` with ``rcpt_452``; an ``x`` stands for any digit."""
    return len(wanted) == len(error_name) and all(
        letter in ("x", other) if position > len(wanted) - 3 else letter == other
        for position, (letter, other) in enumerate(zip(wanted, error_name, strict=True))
    )


def parse_retry_rules(lines: Iterable[ILogicalLine]) -> list[RetryRule]:
    """Return the rules of a retry section.

    Raises ConfigurationError naming file and line.
    """
    return [parse_retry_rule(line) for line in lines]


def parse_retry_rule(line: ILogicalLine) -> RetryRule:
    """Return one rule; raise ConfigurationError naming file and line."""
    try:
        pattern, error, senders, parameters = _fields(line.text)
        return RetryRule(pattern, _error(error), senders, _steps(parameters))
    except ValueError as error_found:
        raise ConfigurationError(
            f"retry rule: {error_found}", line.file, line.line
        ) from error_found


def _fields(text: str) -> tuple[str, str, str | None, str]:
    pattern, rest = _word(text)
    error, rest = _word(rest)
    if not error:
        raise ValueError("error name missing after the pattern")
    senders = None
    if rest.startswith("senders=") or rest.startswith("senders ="):
        senders, rest = _word(rest.partition("=")[2].lstrip())
    return pattern, error, senders, rest


def _word(text: str) -> tuple[str, str]:
    """Return the first word, which quotes may hold together, and what follows."""
    text = text.strip()
    if not text.startswith('"'):
        parts = text.split(None, 1)
        return (parts[0], parts[1] if len(parts) > 1 else "") if parts else ("", "")
    end = 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise ValueError("missing closing quote")
    return "".join(shlex.split(text[: end + 1])), text[end + 1 :].strip()


def _error(name: str) -> str:
    if name in _PLAIN_ERRORS or _REPLY_ERROR.match(name):
        return name
    if name.startswith("quota_"):
        parse_interval(name[6:])
        return name
    raise ValueError(f'unknown or malformed error name "{name}"')


def _steps(text: str) -> tuple[Step, ...]:
    steps = [_step(part) for part in text.split(";") if part.strip()]
    for earlier, later in pairwise(steps):
        if later.cutoff <= earlier.cutoff:
            raise ValueError(
                "cutoff times must grow from one parameter set to the next"
            )
    return tuple(steps)


def _step(text: str) -> Step:
    letter, *arguments = [part.strip() for part in text.split(",")]
    wanted = {"F": 2, "G": 3, "H": 3}.get(letter)
    if wanted is None:
        raise ValueError(f'unknown retry rule letter "{letter}" (use F, G or H)')
    if len(arguments) != wanted:
        raise ValueError(f'"{text.strip()}": {letter} takes {wanted} arguments')
    cutoff, interval = parse_interval(arguments[0]), parse_interval(arguments[1])
    if interval <= 0:
        raise ValueError(f'"{text.strip()}": the interval must not be zero')
    factor = _factor(arguments[2]) if wanted == 3 else 1.0
    return Step(letter, cutoff, interval, factor)


def _factor(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d{1,3})?", text) or float(text) < 1:
        raise ValueError(f'"{text}" is not a multiplier of at least 1')
    return float(text)
