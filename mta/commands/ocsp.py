"""``mta ocsp``: fetch proofs that certificates are good, and look at them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NoReturn

from cryptography import x509

from mta.log import printable
from mta.ocsp.exchange import ask
from mta.ocsp.fetch import (
    FetchError,
    RevokedError,
    Subject,
    fetch,
    is_due,
    responder_urls,
)
from mta.ocsp.place import proxy_place
from mta.ocsp.proof_file import as_pem, read_proof, replace_file
from mta.tls.ocsp import Finding, Verdict, issuer_of

_USAGE = """\
usage: mta ocsp fetch --certificate FILE [--issuer FILE] --output FILE [--url URL]
                      [--margin PERCENT] [--force] [--pem] [--timeout SECONDS]
                      [--proxy URL]
       mta ocsp verify FILE --certificate FILE [--issuer FILE]
       mta [-C FILE] ocsp status [--json]
"""


class Outcome(IntEnum):
    """What came of it: the exit status."""

    DONE = 0
    WRONG_USE = 1
    FAILED = 2
    REVOKED = 3
    NO_RESPONDER = 4
    NOT_DUE = 5


class _UsageError(Exception):
    """The command line, or a file that it names, cannot be used."""


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message}\n{_USAGE.rstrip()}")


def use_ocsp(words: list[str]) -> int:
    """Do what the words behind ``mta ocsp`` ask; return the exit status."""
    if words in (["--help"], ["-h"]):
        print(_USAGE, end="")
        return Outcome.DONE
    try:
        options = _parser().parse_args(words)
        return _COMMANDS[options.command](options)
    except _UsageError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}")
    return Outcome.WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False)
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        parser_class=_Parser,
        metavar="fetch|verify|status",
    )
    both = _Parser(add_help=False)
    both.add_argument("--certificate", required=True)
    both.add_argument("--issuer")
    fetching = commands.add_parser("fetch", parents=[both], add_help=False)
    fetching.add_argument("--output", required=True)
    fetching.add_argument("--url", action="append")
    fetching.add_argument("--margin", type=_percent, default=0.1)
    fetching.add_argument("--force", action="store_true")
    fetching.add_argument("--pem", action="store_true")
    fetching.add_argument("--proxy", type=_proxy)
    fetching.add_argument("--timeout", type=_seconds, default=30.0)
    verifying = commands.add_parser("verify", parents=[both], add_help=False)
    verifying.add_argument("file")
    return parser


def _percent(text: str) -> float:
    value = _number(text.removesuffix("%"))
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError("0 to 99 percent are wanted")
    return value / 100


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("1 to 3600 seconds are wanted")
    return value


def _proxy(text: str) -> str:
    try:
        proxy_place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error


def _fetch(options: argparse.Namespace) -> int:
    """Fetch a proof into a file unless the one there lasts; say what was done."""
    subject = _subject(options)
    now = time.time()
    if subject.end <= now:
        raise _UsageError(f"{options.certificate}: the certificate has expired")
    present = _present(options.output, subject, now)
    due = present is None or is_due(present, now, options.margin)
    if not due and present is not None and not options.force:
        print(f"{options.output}: good until {_date(present.effective_end)}")
        return Outcome.NOT_DUE
    urls = options.url or responder_urls(subject.certificate)
    if not urls:
        _complain(f"{options.certificate}: the certificate names no responder")
        return Outcome.NO_RESPONDER
    try:
        response, verdict = fetch(
            subject,
            urls,
            lambda url, request: ask(
                url, request, options.timeout, options.proxy or ""
            ),
            time.time,
            present,
        )
    except FetchError as error:
        _complain(str(error))
        return Outcome.REVOKED if isinstance(error, RevokedError) else Outcome.FAILED
    replace_file(options.output, as_pem(response) if options.pem else response)
    print(f"{options.output}: new, good until {_date(verdict.effective_end)}")
    return Outcome.DONE


def _present(path: str, subject: Subject, now: float) -> Verdict | None:
    """Return what the proof in a file is worth; None where there is no file."""
    try:
        return subject.judge(read_proof(path), now)
    except FileNotFoundError:
        return None


def _verify(options: argparse.Namespace) -> int:
    """Show what a proof in a file says, and whether that is to be believed."""
    subject = _subject(options)
    verdict = subject.judge(read_proof(options.file), time.time())
    print(f"{options.file}: {printable(verdict.reason)}")
    for what, moment in (
        ("this update", verdict.this_update),
        ("next update", verdict.next_update),
        ("signer's end", verdict.signer_end),
        ("effective end", verdict.effective_end),
    ):
        if moment:
            print(f"  {what + ':':<15}{_date(moment)}")
    if verdict.is_good:
        return Outcome.DONE
    revoked = verdict.finding is Finding.REVOKED
    return Outcome.REVOKED if revoked else Outcome.FAILED


_COMMANDS = {"fetch": _fetch, "verify": _verify}


def _subject(options: argparse.Namespace) -> Subject:
    """Return the certificate and its issuer; by default that is in the same file."""
    certificate, *others = _certificates(options.certificate)
    candidates: Iterator[x509.Certificate] = iter(others)
    if options.issuer is not None:
        candidates = iter(_certificates(options.issuer))
    issuer = issuer_of(certificate, candidates)
    if issuer is None:
        place = options.issuer or options.certificate
        raise _UsageError(
            f"{place}: no certificate of who issued {certificate_name(certificate)}"
        )
    return Subject(certificate, issuer)


def certificate_name(certificate: x509.Certificate) -> str:
    """Return how a certificate is told to people: its subject and serial number."""
    subject = certificate.subject.rfc4514_string()
    return f"{subject} ({certificate.serial_number:X})"


def _certificates(path: str) -> list[x509.Certificate]:
    with open(path, "rb") as file:
        octets = file.read()
    try:
        if b"-----BEGIN" in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except ValueError as error:
        raise _UsageError(f"{path}: no certificate") from error


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _complain(text: str) -> None:
    """Tell people, and whoever reads cron's mail, what is wrong."""
    for line in text.split("\n"):
        print(f"mta ocsp: {printable(line)}", file=sys.stderr)
