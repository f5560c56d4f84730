"""OCSP responses to staple: read from files, judged, read again when these change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cryptography import x509

from mta.interfaces import ILogs
from mta.tls.certificates import reason_of
from mta.tls.files import content_of
from mta.tls.ocsp import (
    SIZE_LIMIT,
    Finding,
    Verdict,
    certificates_in,
    der_of_pem,
    issuer_of,
    judge,
)

# PEM takes a third more than DER, and may hold certificates too.
_FILE_LIMIT = 4 * SIZE_LIMIT
_NOT_READ = Verdict(Finding.UNREADABLE)


@dataclass(frozen=True, slots=True)
class StapleFile:
    """Where a response is, and in which form.

    ``is_kept`` where somebody renews it, and tells what is wrong with it.
    """

    path: str
    is_pem: bool = False
    is_kept: bool = False


class ProofFiles(Protocol):
    """Who keeps responses for certificates."""

    def files_for(
        self,
        chains: Sequence[tuple[str, Sequence[x509.Certificate]]],
        named: Sequence[StapleFile],
        *,
        may_wait: bool,
    ) -> Sequence[StapleFile]:
        """Return the files of the responses for certificates that are to be served.

        ``named`` are those that the configuration names.  Where ``may_wait`` is true
        it may raise Awaited, and is asked again.
        """


def staple_files(items: Sequence[str]) -> list[StapleFile]:
    """Return the files of ``tls_ocsp_file``; a ``PEM`` or ``DER`` holds for the rest."""
    files = []
    is_pem = False
    for text in items:
        path = text
        if text.startswith(("PEM ", "DER ")):
            is_pem = text.startswith("PEM")
            path = text[4:].strip()
        files.append(StapleFile(path, is_pem))
    return files


class Staple:
    """The response for one certificate.

    ``chain`` are certificates among which the issuer's may be; others come with the
    response.  A response for another certificate, as a renewal brings it a moment
    early, does not push out one that is still good.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate],
        file: StapleFile,
        logs: ILogs,
    ) -> None:
        self.file = file
        self.verdict = _NOT_READ
        self._certificate = certificate
        self._chain = chain
        self._logs = logs
        self._octets = b""
        self._mark: object = None
        self._logged: object = None

    def octets(self, now: float) -> bytes:
        """Return what may be stapled now; empty where nothing may."""
        # Every handshake comes by here.
        try:
            status = os.stat(self.file.path)
            mark = (status.st_mtime_ns, status.st_ino, status.st_size)
        except OSError:
            mark = (0, 0, 0)
        if mark != self._mark or now >= self.verdict.changes_at:
            self._read(mark, now)
        return self._octets

    def _read(self, mark: object, now: float) -> None:
        self._mark = mark
        try:
            octets = content_of(self.file.path, _FILE_LIMIT)
        except OSError as error:
            self._octets, self.verdict = b"", _NOT_READ
            what = "Failed to open OCSP response file"
            self._say(
                mark, f'{what} "{self.file.path}": {reason_of(error)}', alarm=True
            )
            return
        response = der_of_pem(octets) if self.file.is_pem else octets
        verdict = self._judge(octets, response, now)
        if self.file.is_kept:
            verdict = _until_end(verdict, now)
        is_foreign = verdict.finding is Finding.FOREIGN
        if is_foreign and self._octets and now < self.verdict.changes_at:
            text = f"{verdict.reason}; the earlier one is kept"
        else:
            self._octets = response if verdict.is_good else b""
            self.verdict = verdict
            text = verdict.reason
        if not verdict.is_good:
            self._say(
                (mark, verdict.finding),
                f'OCSP response file "{self.file.path}" is not stapled: {text}',
                alarm=verdict.finding is Finding.REVOKED,
            )

    def _judge(self, octets: bytes, response: bytes, now: float) -> Verdict:
        if self.file.is_pem and octets and not response:
            return Verdict(Finding.UNREADABLE, "no OCSP response in PEM")
        if not self.file.is_pem and octets.startswith(b"-----BEGIN"):
            return Verdict(Finding.UNREADABLE, 'PEM, without "PEM" before its name')
        candidates = [*self._chain, *certificates_in(response)]
        if self.file.is_pem:
            candidates += _certificates(octets)
        issuer = issuer_of(self._certificate, iter(candidates))
        verdict = judge(response, self._certificate, issuer or self._certificate, now)
        if verdict.finding is Finding.NO_ISSUER:
            return replace(verdict, detail="it should follow in the certificate's file")
        return verdict

    def _say(self, cause: object, text: str, *, alarm: bool) -> None:
        """Log a reason, once for each change of the file."""
        if self.file.is_kept or cause == self._logged:
            return
        self._logged = cause
        (self._logs.panic if alarm else self._logs.main)(text)


class Staples:
    """What is stapled for the certificates that one context serves.

    ``lacking`` names the certificates that must have a response (must-staple) and had
    none when they were loaded.
    """

    def __init__(
        self,
        staples: dict[x509.Certificate, Staple],
        *,
        is_only_certificate: bool,
        logs: ILogs,
        clock: Callable[[], float],
        lacking: Sequence[str] = (),
    ) -> None:
        self.lacking = lacking
        self._staples = staples
        self._is_only_certificate = is_only_certificate
        self._only: Staple | None = None
        self._logs = logs
        self._clock = clock
        self._problem = ""

    def octets_for(self, served: Callable[[], x509.Certificate | None]) -> bytes:
        """Return the response for the certificate being served, if there is one.

        OpenSSL asks for it: nothing is ever raised.
        """
        try:
            staple = self._only or self._chosen(served())
            return b"" if staple is None else staple.octets(self._clock())
        except Exception as error:
            # An exception would cut off every client that asks for a staple.
            return self._without(error)

    def _chosen(self, certificate: x509.Certificate | None) -> Staple | None:
        if certificate is None:
            return None
        staple = self._staples.get(certificate)
        if self._is_only_certificate:
            # What is served cannot change: it need be looked at but once.
            self._only = staple
        return staple

    def _without(self, error: Exception) -> bytes:
        problem = f"{type(error).__name__}: {error}"
        if problem != self._problem:
            self._problem = problem
            with contextlib.suppress(Exception):
                self._logs.panic(f"no OCSP response is stapled: {problem}")
        return b""


def load_staples(
    certificates: Sequence[str],
    responses: Sequence[StapleFile],
    *,
    logs: ILogs,
    clock: Callable[[], float],
) -> Staples:
    """Return the staples for certificate files, paired with them in their order.

    What is wrong with a response is logged at once, and raises nothing.
    """
    chains = [(path, _certificates(content_of(path))) for path in certificates]
    staples = staples_for(chains, responses, logs=logs, clock=clock)
    for text in staples.lacking:
        logs.panic(text)
    return staples


def staples_for(
    chains: Sequence[tuple[str, Sequence[x509.Certificate]]],
    responses: Sequence[StapleFile],
    *,
    logs: ILogs,
    clock: Callable[[], float],
) -> Staples:
    """Return the staples for certificates, paired with responses in their order.

    Each comes with the path of its file and the certificates behind it.
    """
    staples, lacking = {}, []
    for number, (path, chain) in enumerate(chains):
        has_file = number < len(responses) and bool(responses[number].path)
        if not chain:
            if has_file:
                logs.main(f"no OCSP response is stapled: cannot read {path}")
            continue
        octets = b""
        if has_file:
            staple = Staple(chain[0], chain[1:], responses[number], logs)
            staples[chain[0]] = staple
            octets = staple.octets(clock())
        if not octets and _must_staple(chain[0]):
            lacking.append(
                f"certificate {path} is not accepted without an OCSP response "
                "(must-staple), and there is none to staple"
            )
    return Staples(
        staples,
        is_only_certificate=len(chains) == 1,
        logs=logs,
        clock=clock,
        lacking=lacking,
    )


def _until_end(verdict: Verdict, now: float) -> Verdict:
    """Return what a response is worth that others follow: nothing after its end.

    Clocks that differ are allowed for where it is hard to have another in time.
    """
    if not verdict.is_good:
        return verdict
    if now >= verdict.effective_end:
        return replace(verdict, finding=Finding.EXPIRED)
    return replace(verdict, changes_at=min(verdict.changes_at, verdict.effective_end))


def _must_staple(certificate: x509.Certificate) -> bool:
    try:
        feature = certificate.extensions.get_extension_for_class(x509.TLSFeature)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return x509.TLSFeatureType.status_request in feature.value


def _certificates(octets: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(octets)
    except ValueError:
        return []
