"""``mta tls-status``: what hosts proved of their TLS, and what if more were demanded."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from mta.assembly import Assembly
from mta.commands.arguments import Arguments
from mta.commands.waiting import run_coroutine
from mta.delivery.tls_preview import OPTIONS, Demand, Foreseen, Standing, foresee
from mta.delivery.tls_report_options import TLSReportOptions
from mta.delivery.tls_results import (
    DAY_SECONDS,
    TLSResult,
    day_of,
    keep_days,
    read_results,
    results_path,
)
from mta.errors import ConfigurationError
from mta.expand.context import Context
from mta.log import printable
from mta.tls.verdict import TLSVerdict

USAGE = f"""\
usage: mta tls-status [DOMAIN] [--days N] [--json] [--if OPTION=VALUE]...
       OPTION is one of {", ".join(OPTIONS)};
       VALUE is a host list, and enforce for mta_sts
"""
DAYS_LIMIT = 3660
SOME_WOULD_FAIL = 2


class _UsageError(Exception):
    """The words behind the command make no sense."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


@dataclass(slots=True)
class Question:
    """What is asked for: a domain or all, some days, and what might be demanded."""

    first_day: int
    last_day: int
    domain: str = ""
    as_json: bool = False
    demands: list[Demand] = field(default_factory=list)

    @property
    def dates(self) -> str:
        """The days in words."""
        return f"{_date(self.first_day)} to {_date(self.last_day)}"


def show_status(assembly: Assembly, arguments: Arguments) -> int:
    """Print what is known of TLS with other hosts.

    With ``--if`` it is what would have failed, and then the status is 2.
    """
    if arguments.operands in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    try:
        question = _question(assembly, arguments.operands)
    except (_UsageError, ConfigurationError) as error:
        print(
            f"mta tls-status: {printable(str(error))}\n{USAGE}", end="", file=sys.stderr
        )
        return 1
    path = results_path(assembly.spool)
    results = _find(path, question)
    if not question.demands:
        return _show(results, question)
    context = Context(assembly.site)
    foreseen = run_coroutine(foresee(results, question.demands, context))
    return _show_foreseen(foreseen, question)


def _question(assembly: Assembly, words: Sequence[str]) -> Question:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("domain", nargs="?", default="")
    parser.add_argument("--days", type=_days)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--if", action="append", default=[], dest="demands")
    options = parser.parse_args(words)
    days = options.days
    if days is None:
        kept = assembly.configuration.main(TLSReportOptions).tls_results_keep
        days = max(keep_days(kept), 1)
    today = day_of(time.time())
    return Question(
        today - days + 1,
        today,
        options.domain.removesuffix(".").lower(),
        options.json,
        [Demand.parse(text, assembly.language) for text in options.demands],
    )


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= DAYS_LIMIT:
        raise argparse.ArgumentTypeError(f"1 to {DAYS_LIMIT} days are wanted")
    return int(text)


def _find(path: str, question: Question) -> list[TLSResult]:
    """Return the results of a domain, of a host that has the name, or all."""
    first, last, domain = question.first_day, question.last_day, question.domain
    if not domain:
        return read_results(path, first, last)
    found = read_results(path, first, last, domain)
    if found:
        return found
    every = read_results(path, first, last)
    return [result for result in every if result.verdict.host.lower() == domain]


def _show(results: list[TLSResult], question: Question) -> int:
    if question.as_json:
        _print_json(question, {"results": [_result_to_json(one) for one in results]})
        return 0
    if not results:
        about = f" of {printable(question.domain)}" if question.domain else ""
        print(f"Nothing is known{about} from {question.dates}.")
        return 0
    domain = None
    for row in _rows(results):
        if row.domain != domain:
            if domain is not None:
                print()
            domain = row.domain
            print(printable(domain))
        print(f"  {row.place}: {row.counts}, last {_moment(row.last)}")
        print(f"    {printable(row.verdict.text) or 'TLS was not tried'}")
    return 0


@dataclass(slots=True)
class _Row:
    """The results of several days that say the same of a domain."""

    domain: str
    verdict: TLSVerdict
    sessions: int = 0
    deliveries: int = 0
    last: float = 0.0

    @property
    def place(self) -> str:
        """The host, as in the log."""
        return host_text(self.verdict)

    @property
    def counts(self) -> str:
        """Connections and deliveries in words."""
        sessions = _counted(self.sessions, "connection", "connections")
        return f"{sessions}, {_counted(self.deliveries, 'delivery', 'deliveries')}"


def host_text(verdict: TLSVerdict) -> str:
    """Return the host that a verdict is about, as the log has it."""
    if not verdict.host:
        return "(several hosts)"
    address = f" [{verdict.ip_address}]" if verdict.ip_address else ""
    return printable(f"{verdict.host}{address}")


def _rows(results: list[TLSResult]) -> list[_Row]:
    rows: dict[tuple[str, str], _Row] = {}
    for one in results:
        # What differs by our own address and the cipher says nothing new to people.
        verdict = one.verdict.having(local_address="", helo="", cipher="", policies=())
        key = (one.domain, verdict.json_text)
        row = rows.setdefault(key, _Row(one.domain, verdict))
        row.sessions += one.sessions
        row.deliveries += one.deliveries
        row.last = max(row.last, one.last)
    return sorted(rows.values(), key=lambda row: (row.domain, row.place, -row.last))


def _show_foreseen(foreseen: list[Foreseen], question: Question) -> int:
    failing = [one for one in foreseen if one.judgement.standing is Standing.FAILS]
    status = SOME_WOULD_FAIL if failing else 0
    if question.as_json:
        demands = {demand.option: demand.text for demand in question.demands}
        found = [_foreseen_to_json(one) for one in foreseen]
        _print_json(question, {"if": demands, "deliveries": found})
        return status
    unknown = [one for one in foreseen if one.judgement.standing is Standing.UNKNOWN]
    total = _counted(_deliveries(foreseen), "delivery", "deliveries")
    line = f"{total} from {question.dates}: "
    line += f"{_deliveries(failing) or 'none'} would have failed"
    if unknown:
        line += f", {_deliveries(unknown)} cannot be told"
    print(f"{line}.")
    passing = {
        one.result.domain
        for one in foreseen
        if one.judgement.standing is Standing.PASSES
    }
    for title, group in (("Would have failed:", failing), ("Cannot be told:", unknown)):
        if group:
            print(f"\n{title}")
            for line in foreseen_lines(group, passing):
                print(line)
    return status


def foreseen_lines(group: list[Foreseen], passing: set[str]) -> list[str]:
    """Return a line for each domain, host and reason, with a count.

    ``passing`` are domains to which other deliveries would have passed.
    """
    counts: dict[tuple[str, str, str], tuple[int, float]] = {}
    for one in group:
        result = one.result
        reason = f"{one.option}: {one.judgement.reason}"
        key = (result.domain, host_text(result.verdict), reason)
        count, last = counts.get(key, (0, 0.0))
        counts[key] = (count + result.deliveries, max(last, result.last))
    lines = []
    for (domain, host, reason), (count, last) in sorted(counts.items()):
        many = _counted(count, "delivery", "deliveries")
        also = "; others to the domain pass" if domain in passing else ""
        lines.append(
            f"  {printable(domain)} by {host}: {many}, last {_moment(last)}\n"
            f"    {printable(reason)}{also}"
        )
    return lines


def _deliveries(group: list[Foreseen]) -> int:
    return sum(one.result.deliveries for one in group)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _result_to_json(result: TLSResult) -> dict[str, Any]:
    return {
        "day": _date(result.day),
        "domain": result.domain,
        "sessions": result.sessions,
        "deliveries": result.deliveries,
        "last": datetime.fromtimestamp(int(result.last), UTC).isoformat(),
        "verdict": result.verdict.to_json(),
    }


def _foreseen_to_json(one: Foreseen) -> dict[str, Any]:
    return {
        **_result_to_json(one.result),
        "standing": one.judgement.standing.name.lower(),
        "option": one.option,
        "reason": one.judgement.reason,
    }


def _print_json(question: Question, found: dict[str, Any]) -> None:
    days = {"from": _date(question.first_day), "to": _date(question.last_day)}
    print(json.dumps({**days, **found}, indent=2))


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC).strftime("%Y-%m-%d")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
