"""The proof for one certificate: kept in a file, and renewed in time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mta.log import printable
from mta.ocsp.fetch import FetchError, RevokedError, Subject, fetch
from mta.ocsp.proof_file import as_pem, read_proof, replace_file
from mta.ocsp.schedule import (
    REVOKED_WAIT,
    Alarm,
    after_failure,
    after_success,
    alarm_for,
    half_life,
)
from mta.ocsp.standing import Standing
from mta.tls.files import Marks, file_marks
from mta.tls.ocsp import Finding, Verdict
from mta.tls.staples import StapleFile


@dataclass(frozen=True, slots=True)
class Report:
    """A line for the main log, and as an alarm for the panic log too."""

    text: str
    is_alarm: bool = False


def proof_path(folder: str, certificate: x509.Certificate) -> str:
    """Return where the proof for a certificate is kept in a folder."""
    octets = certificate.public_bytes(Encoding.DER)
    return os.path.join(folder, hashlib.sha256(octets).hexdigest() + ".ocsp")


def standing_path(proof: str) -> str:
    """Return the file beside a proof that tells how it stands with it."""
    return proof.removesuffix(".ocsp") + ".json"


class KeptProof:
    """Keeps the proof for a certificate that stands in the file ``path``.

    The proof is kept in ``file``.  ``copies`` are files for other programs: each new
    proof is written to them too, and what is newer there is taken over.  ``work`` may
    wait and runs in a thread; nothing else is called meanwhile (``is_busy``).
    """

    def __init__(
        self,
        *,
        path: str,
        subject: Subject,
        folder: str,
        urls: Sequence[str],
        ask: Callable[[str, bytes], bytes],
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.path = path
        self.subject = subject
        self.file = proof_path(folder, subject.certificate)
        self.copies: tuple[StapleFile, ...] = ()
        self.is_busy = False
        self.seen_at = now()
        self.verdict: Verdict | None = None
        self._ask = ask
        self._now = now
        self._chance = chance
        self._marks: Marks = ()
        self._alarm = Alarm.NONE
        self._is_alarmed_of_revocation = False
        self._said = ""
        self._copy_troubles: set[str] = set()
        number = format(subject.certificate.serial_number, "X")
        self.name = printable(f"certificate {path} (serial number {number})")
        self.standing = Standing.read(standing_path(self.file)) or Standing(path)
        self.standing.path = path
        self.standing.responders = list(urls)
        self.standing.failures = 0
        self.open()

    def open(self) -> None:
        """Begin with the proof that is there, from before or from another process."""
        now = self._now()
        with suppress(OSError):
            self.verdict = self.subject.judge(read_proof(self.file), now)
        verdict, planned = self.verdict, self.standing.next_try
        if verdict is not None and verdict.is_good:
            latest = half_life(verdict, 0.0)
        elif verdict is not None and verdict.finding is Finding.REVOKED:
            latest = now + REVOKED_WAIT
        else:
            latest = now
        # A clock that was wrong may have planned anything.
        self.standing.next_try = min(planned, latest) if planned else now
        if verdict is not None and verdict.is_good and not planned:
            self.standing.next_try = half_life(verdict, self._chance())

    def is_good(self, now: float) -> bool:
        """Return whether there is a proof that can be stapled now."""
        verdict = self.verdict
        return verdict is not None and verdict.is_good and now < verdict.effective_end

    def is_settled(self, now: float) -> bool:
        """Return whether no proof will be there in a moment that is not there now."""
        verdict = self.verdict
        is_revoked = verdict is not None and verdict.finding is Finding.REVOKED
        return self.is_good(now) or is_revoked or self.standing.failures > 0

    def wants_work(self, now: float, *, looks_at_copies: bool = False) -> bool:
        """Return whether there is something to be done."""
        if self.is_busy or now >= self.subject.end:
            return False
        return now >= self.standing.next_try or (
            looks_at_copies and self._copy_marks() != self._marks
        )

    def check(self) -> list[Report]:
        """Return the alarm that the time has brought, once."""
        now = self._now()
        if self.verdict is not None and self.verdict.finding is Finding.REVOKED:
            return self._revocation(self.standing.result)
        alarm = alarm_for(self.verdict, self.standing.failures, now)
        if alarm in (self._alarm, Alarm.NONE):
            return []
        self._alarm = alarm
        text = f"OCSP alarm for {self.name}: {alarm.value}"
        if self.verdict is not None and self.verdict.effective_end:
            text += f" ({date(self.verdict.effective_end)})"
        if alarm is Alarm.ENDED:
            text += ", and nothing is stapled"
        return [Report(f"{text}: {self.standing.result}", is_alarm=True)]

    def _revocation(self, text: str) -> list[Report]:
        if self._is_alarmed_of_revocation:
            return []
        self._is_alarmed_of_revocation = True
        reason = f"the certificate is revoked, and nothing is stapled: {text}"
        return [Report(f"OCSP alarm for {self.name}: {reason}", is_alarm=True)]

    def work(self) -> list[Report]:
        """Take over what others wrote, fetch what is due, and write the copies."""
        reports = []
        try:
            self._take_over()
            if self._now() >= self.standing.next_try:
                reports += self._renew()
            reports += self._write_copies()
            self.save()
        except OSError as error:
            text = f"{error.filename or self.file}: {error.strerror or error}"
            reports += self._failed(f"cannot be kept: {printable(text)}")
        return reports

    def stumbled(self, error: Exception, wait: float) -> list[Report]:
        """Return what to report where work ended by a fault of ours; wait after it."""
        self.standing.failures += 1
        self.standing.next_try = self._now() + wait
        self.standing.result = printable(f"{type(error).__name__}: {error}")
        text = f"OCSP trouble with {self.name}: {self.standing.result}"
        return [Report(text, is_alarm=True)]

    def save(self) -> None:
        """Tell other programs how it stands.  Raises OSError."""
        self.standing.write(standing_path(self.file))

    def _take_over(self) -> None:
        """Keep the newest proof that stands in a copy, if it is newer than ours."""
        now = self._now()
        for copy in self.copies:
            try:
                response = read_proof(copy.path)
            except OSError:
                continue
            verdict = self.subject.judge(response, now)
            if not verdict.is_good or now >= verdict.effective_end:
                continue
            if self.verdict is None or verdict.this_update > self.verdict.this_update:
                self._keep(response, verdict)
                self.standing.next_try = half_life(verdict, self._chance())
                self._came("found in " + copy.path)

    def _keep(self, response: bytes, verdict: Verdict) -> None:
        replace_file(self.file, response)
        self.verdict = verdict

    def _renew(self) -> list[Report]:
        try:
            response, verdict = fetch(
                self.subject,
                self.standing.responders,
                self._ask,
                self._now,
                self.verdict,
            )
        except RevokedError as error:
            return self._revoked(error)
        except FetchError as error:
            return self._failed(str(error).replace("\n", "; "))
        self._keep(response, verdict)
        self._came("good")
        now = self._now()
        self.standing.next_try = after_success(verdict, now, self._chance())
        text = f"OCSP proof for {self.name}: good until {date(verdict.effective_end)}"
        return [Report(text)]

    def _came(self, result: str) -> None:
        self.standing.result, self.standing.result_at = result, self._now()
        self.standing.failures = 0
        self._alarm = Alarm.NONE
        self._is_alarmed_of_revocation = False
        self._said = ""

    def _revoked(self, error: RevokedError) -> list[Report]:
        now = self._now()
        # Our file tells it after a restart too; copies stay as they are.
        self._keep(error.response, self.subject.judge(error.response, now))
        self.standing.result, self.standing.result_at = str(error), now
        self.standing.failures = 0
        self.standing.next_try = now + REVOKED_WAIT
        return self._revocation(str(error))

    def _failed(self, reason: str) -> list[Report]:
        now = self._now()
        end = self.verdict.effective_end if self.verdict is not None else 0.0
        standing = self.standing
        standing.failures += 1
        standing.result, standing.result_at = reason, now
        standing.next_try = after_failure(standing.failures, now, end, self._chance())
        if reason == self._said:
            return []
        self._said = reason
        tail = f"next try at {date(standing.next_try)}"
        return [Report(f"OCSP proof for {self.name} not fetched: {reason}; {tail}")]

    def _write_copies(self) -> list[Report]:
        """Give our proof to other programs, where they have none as good."""
        reports = []
        now = self._now()
        if self.is_good(now):
            response = read_proof(self.file)
            for copy in self.copies:
                try:
                    self._write_copy(copy, response)
                except OSError as error:
                    reports += self._not_written(copy.path, error)
        self._marks = self._copy_marks()
        return reports

    def _not_written(self, path: str, error: OSError) -> list[Report]:
        text = printable(f"{path}: {error.strerror or error}")
        if text in self._copy_troubles:
            return []
        self._copy_troubles.add(text)
        text = f"OCSP proof for {self.name} not written: {text}"
        return [Report(text, is_alarm=True)]

    def _write_copy(self, copy: StapleFile, response: bytes) -> None:
        present = b""
        with suppress(OSError):
            present = read_proof(copy.path)
        if present != response:
            replace_file(copy.path, as_pem(response) if copy.is_pem else response)

    def _copy_marks(self) -> Marks:
        return file_marks([copy.path for copy in self.copies])


def date(moment: float) -> str:
    """Return a time as logs and people have it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
