"""Show the rates that ``ratelimit`` has measured."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass

from mta.acl.rate_settings import parse_number, parse_period
from mta.acl.rates import RATE_KIND, rate_of, seconds_to_clear, smoothed
from mta.assembly import Assembly
from mta.commands.arguments import Arguments
from mta.errors import SpoolError
from mta.hints import Hints
from mta.log import printable

USAGE = "usage: mta ratelimit show [KEY]"
_HEADING = ("RATE", "LIMIT", "CLEARS", "KEY")


@dataclass(frozen=True, slots=True)
class KnownRate:
    """The rate of a key now, and when one more event stays below its limit.

    ``clears_at`` is in seconds since the epoch; infinite where that will never be.
    """

    key: str
    value: float
    limit: str
    period: str
    clears_at: float


def show_rates(assembly: Assembly, arguments: Arguments) -> int:
    """Print rate, limit, when the limit lets the next event through, and key.

    With a KEY only those keys are shown that hold it; returns 1 where none does.
    """
    verb, *wanted = arguments.operands or [""]
    if verb != "show" or len(wanted) > 1:
        print(USAGE, file=sys.stderr)
        return 1
    path = os.path.join(assembly.spool, "db", "hints.db")
    now = time.time()
    rates = known_rates(path, now) if os.path.exists(path) else []
    if wanted:
        rates = [rate for rate in rates if wanted[0] in rate.key]
        if not rates:
            print(f'mta: no rate is known for "{wanted[0]}"', file=sys.stderr)
            return 1
    for line in table(rates, now):
        print(line)
    return 0


def known_rates(path: str, now: float) -> list[KnownRate]:
    """Return the rates that are kept in a file, by key; raise SpoolError."""
    faults: list[str] = []
    hints = Hints(path, clock=lambda: now, report=faults.append)
    try:
        found = hints.items(RATE_KIND)
    finally:
        hints.close()
    if faults:
        raise SpoolError(faults[0])
    return [_known_rate(key, value, now) for key, value in found]


def _known_rate(key: str, value: object, now: float) -> KnownRate:
    rate = rate_of(value)
    period_text = key.partition("/")[0]
    period = parse_period(period_text)
    elapsed = max(0.0, now - rate.measured_at)
    current = smoothed(rate.value, elapsed, period, 0.0)
    seconds = seconds_to_clear(
        current, period, rate.increment, parse_number(rate.limit)
    )
    clears_at = math.inf if seconds is None else now + seconds
    return KnownRate(key, current, rate.limit, period_text, clears_at)


def table(rates: list[KnownRate], now: float) -> list[str]:
    """Return the lines that show rates; none where there are none."""
    if not rates:
        return []
    rows = [_HEADING, *(_row(rate, now) for rate in rates)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{row[0]:>{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}"
        for row in rows
    ]


def _row(rate: KnownRate, now: float) -> tuple[str, str, str, str]:
    if rate.clears_at <= now:
        clears = "now"
    elif math.isinf(rate.clears_at):
        clears = "never"
    else:
        # Rounded up: a client that comes at that second is let through.
        moment = time.localtime(math.ceil(rate.clears_at))
        clears = time.strftime("%Y-%m-%d %H:%M:%S", moment)
    limit = f"{rate.limit}/{rate.period}"
    return f"{rate.value:.1f}", limit, clears, printable(rate.key)
