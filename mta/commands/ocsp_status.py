"""``mta ocsp status``: how it stands with the proofs for our certificates."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from mta.assembly import Assembly, expand_now
from mta.commands.arguments import Arguments, UsageError
from mta.commands.ocsp import Outcome
from mta.errors import MTAError
from mta.log import printable
from mta.ocsp.fetch import urls_for
from mta.ocsp.folder import known_standings, proof_folder
from mta.ocsp.kept_proof import date, proof_path, standing_path
from mta.ocsp.proof_file import read_proof
from mta.ocsp.standing import Standing
from mta.options import split_list
from mta.reception.ocsp_options import OCSPOptions, responders_of
from mta.reception.tls_options import TLSOptions
from mta.tls.files import content_of
from mta.tls.ocsp import Finding, certificates_in, issuer_of, judge
from mta.tls.staples import StapleFile, staple_files

USAGE = "usage: mta ocsp status [--json]"
_STATES = {
    Finding.GOOD: "good",
    Finding.REVOKED: "revoked",
    Finding.UNKNOWN: "unknown",
    Finding.EXPIRED: "expired",
}
NO_RESPONDER, MISSING, UNUSABLE = "no responder", "missing", "unusable"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ProofStatus:
    """A certificate and its proof; times are in seconds since the epoch, 0 unknown."""

    certificate: str
    state: str
    reason: str = ""
    subject: str = ""
    serial: str = ""
    responders: tuple[str, ...] = ()
    proof: str = ""
    this_update: float = 0.0
    next_update: float = 0.0
    signer_end: float = 0.0
    effective_end: float = 0.0
    last_result: str = ""
    last_result_at: float = 0.0
    next_try: float = 0.0
    failures: int = 0

    @property
    def outcome(self) -> Outcome:
        """The exit status that it would have alone."""
        if self.state == "revoked":
            return Outcome.REVOKED
        is_well = self.state in ("good", NO_RESPONDER)
        return Outcome.DONE if is_well else Outcome.FAILED


def show_status(assembly: Assembly, arguments: Arguments) -> int:
    """Print each certificate and its proof; return the exit status."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    options, others = parser.parse_known_args(arguments.operands[1:])
    if others:
        raise UsageError(f"ocsp status: {others[0]} is not known\n{USAGE}")
    found = list(statuses(assembly, time.time()))
    if options.json:
        print(json.dumps([_as_json(one) for one in found], indent=2))
    elif not found:
        print("mta ocsp: tls_certificate names no certificate", file=sys.stderr)
    else:
        print("\n\n".join("\n".join(_lines(one)) for one in found))
    outcomes = {one.outcome for one in found}
    return max(outcomes, default=Outcome.DONE)


def statuses(assembly: Assembly, now: float) -> Iterator[ProofStatus]:
    """Give the certificates of the configuration, then others that clients were served.

    Raises ConfigurationError.
    """
    tls = assembly.configuration.main(TLSOptions)
    ocsp = assembly.configuration.main(OCSPOptions)
    responders = responders_of(ocsp, assembly.site)
    folder = proof_folder(assembly.spool) if ocsp.tls_ocsp_refresh else ""
    paths = _items(assembly, tls.tls_certificate)
    named = staple_files(_items(assembly, tls.tls_ocsp_file))
    shown = set()
    for number, path in enumerate(paths):
        file = named[number] if number < len(named) else StapleFile("")
        shown.add(path)
        yield _status(path, number, file, responders, folder, now)
    if not folder or (tls.tls_certificate and tls.tls_certificate.constant is not None):
        return
    for proof, standing in known_standings(folder):
        if standing.path not in shown:
            chain = _chain_in(standing.path)
            if chain and proof_path(folder, chain[0]) == proof:
                shown.add(standing.path)
                file = StapleFile("")
                yield _status(standing.path, 0, file, responders, folder, now)


def _items(assembly: Assembly, template: Any) -> list[str]:
    """Return the items of a list as it is for a client that asks for no name."""
    if template is None:
        return []
    try:
        return split_list(expand_now(template, assembly.site))
    except MTAError as error:
        print(f"mta ocsp: {printable(str(error))}", file=sys.stderr)
        return []


def _status(
    path: str,
    number: int,
    named: StapleFile,
    responders: Sequence[str],
    folder: str,
    now: float,
) -> ProofStatus:
    chain = _chain_in(path)
    if not chain:
        return ProofStatus(path, UNREADABLE, "there is no certificate to be read")
    certificate = chain[0]
    urls = urls_for(certificate, number, responders)
    status = ProofStatus(
        path,
        MISSING,
        subject=certificate.subject.rfc4514_string(),
        serial=format(certificate.serial_number, "X"),
        responders=tuple(urls),
    )
    is_kept = bool(folder and urls and issuer_of(certificate, iter(chain[1:])))
    proof = proof_path(folder, certificate) if is_kept else named.path
    if is_kept:
        status = _with_standing(status, Standing.read(standing_path(proof)))
    if not proof:
        state = MISSING if urls else NO_RESPONDER
        return replace(status, state=state, reason=_no_file(urls, folder))
    return _with_proof(replace(status, proof=proof), chain, now)


def _no_file(urls: Sequence[str], folder: str) -> str:
    if not urls:
        return "the certificate names no OCSP responder"
    if folder:
        return "its issuer's certificate does not follow it in its file"
    return "no file is named for a proof, and none is fetched"


def _with_standing(status: ProofStatus, standing: Standing | None) -> ProofStatus:
    if standing is None:
        return status
    return replace(
        status,
        last_result=standing.result,
        last_result_at=standing.result_at,
        next_try=standing.next_try,
        failures=standing.failures,
    )


def _with_proof(
    status: ProofStatus, chain: Sequence[x509.Certificate], now: float
) -> ProofStatus:
    try:
        response = read_proof(status.proof)
    except OSError as error:
        return replace(status, reason=f"{status.proof}: {error.strerror}")
    issuer = issuer_of(chain[0], iter([*chain[1:], *certificates_in(response)]))
    verdict = judge(response, chain[0], issuer or chain[0], now)
    state, reason = _STATES.get(verdict.finding, UNUSABLE), verdict.reason
    if verdict.is_good and now >= verdict.effective_end:
        state, reason = "expired", f"it has expired: at {date(verdict.effective_end)}"
    return replace(
        status,
        state=state,
        reason="" if state == "good" else reason,
        this_update=verdict.this_update,
        next_update=verdict.next_update,
        signer_end=verdict.signer_end,
        effective_end=verdict.effective_end,
    )


def _chain_in(path: str) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content_of(path))
    except (OSError, ValueError):
        return ()


def _lines(status: ProofStatus) -> Iterator[str]:
    """Give the lines that show a certificate."""
    tail = f", {printable(status.reason)}" if status.reason else ""
    yield f"{printable(status.certificate)}: {status.state}{tail}"
    result = status.last_result
    if result and status.last_result_at:
        result = f"{date(status.last_result_at)}, {result}"
    if status.failures:
        result += f" (failures: {status.failures})"
    for name, value in (
        ("subject", status.subject),
        ("serial number", status.serial),
        ("responder", " ".join(status.responders)),
        ("proof", status.proof),
        ("this update", _shown(status.this_update)),
        ("next update", _shown(status.next_update)),
        ("signer's end", _shown(status.signer_end)),
        ("effective end", _shown(status.effective_end)),
        ("last result", result),
        ("next try", _shown(status.next_try)),
    ):
        if value:
            yield f"  {name + ':':<15}{printable(value)}"


def _shown(moment: float) -> str:
    return date(moment) if moment else ""


def _as_json(status: ProofStatus) -> dict[str, Any]:
    values = asdict(status)
    for name in (
        "this_update",
        "next_update",
        "signer_end",
        "effective_end",
        "last_result_at",
        "next_try",
    ):
        moment = datetime.fromtimestamp(values[name], UTC)
        text = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        values[name] = text if values[name] else None
    return values
