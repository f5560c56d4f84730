"""Keep proofs for all certificates that are served, and renew them in time."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from twisted.application.service import Service
from twisted.internet.task import LoopingCall

from mta.interfaces import ILogs
from mta.ocsp.exchange import ask
from mta.ocsp.fetch import Subject, urls_for
from mta.ocsp.folder import UNUSED_SECONDS, ProofFolder, known_standings
from mta.ocsp.kept_proof import KeptProof, Report, proof_path
from mta.ocsp.threads import ProofThreads
from mta.tls.files import Marks, content_of, file_marks
from mta.tls.ocsp import issuer_of
from mta.tls.staples import StapleFile
from mta.tls.watched import Awaited

Chain = Sequence[x509.Certificate]
ASK_LIMIT = 10.0
_TICK = 1.0
# How often, in ticks, files are looked at, and the lock is tried.
_LOOK_TICKS = 5
# How long a new certificate waits for its proof, and a proof for being used.
_RENEWAL_WAIT = 5.0
_USE_WAIT = 60.0


@dataclass(slots=True)
class _Source:
    """A certificate's file: its place in the list, and what is known of its content.

    ``loaded`` is the proof of the certificate that was taken from it to be served,
    ``coming`` of what is in it now.
    """

    number: int = 0
    marks: Marks = ()
    loaded: str = ""
    coming: str = ""


class Refresher(Service):
    """Fetches the proof for each certificate that is to be served.

    Each is kept in a file in ``folder``; of several processes with one folder one
    fetches.  ``responders`` and ``proxy`` are who is asked, and through whom.
    ``served`` gives the certificates that are served now: proofs for others are
    forgotten, but for those that ``resumes`` brings back from before a restart.
    Before the service runs, those that wait may wait ``start_wait`` seconds in all.
    """

    def __init__(
        self,
        *,
        folder: str,
        responders: Sequence[str],
        proxy: str,
        served: Callable[[], Iterable[x509.Certificate]],
        logs: ILogs,
        reactor: Any,
        resumes: bool = False,
        start_wait: float = 3.0,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        start_thread: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._responders = responders
        self._proxy = proxy
        self._served = served
        self._logs = logs
        self._resumes = resumes
        self._start_wait = start_wait
        self._now = now
        self._chance = chance
        self._threads = ProofThreads(
            call_in_reactor=reactor.callFromThread,
            report=self._log,
            start_thread=start_thread,
        )
        self._folder = ProofFolder(folder)
        self._kept: dict[str, KeptProof] = {}
        self._sources: defaultdict[str, _Source] = defaultdict(_Source)
        self._resumed: set[str] = set()
        self._told: set[str] = set()
        self._ticks = 0
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor

    def files_for(
        self,
        chains: Sequence[tuple[str, Chain]],
        named: Sequence[StapleFile],
        *,
        may_wait: bool,
    ) -> list[StapleFile]:
        """Return the files of the proofs for certificates that are to be served.

        ``named`` are what the configuration names: they are used where nobody can be
        asked, and get copies of proofs.  Raises Awaited where ``may_wait`` is true and
        a proof will be there in a moment.
        """
        self._open_folder()
        files, wanted = [], []
        for number, (path, chain) in enumerate(chains):
            file = named[number] if number < len(named) else StapleFile("")
            self._sources[path].number = number
            kept = self._kept_for(path, chain)
            if kept is None:
                files.append(file)
            else:
                wanted.append((path, kept, file))
                files.append(StapleFile(kept.file, is_kept=True))
        if self.running:
            self._begin_now([kept for _, kept, _ in wanted], may_wait=may_wait)
        for path, kept, file in wanted:
            self._use(path, kept, file)
        if not self.running:
            self._begin_at_start([kept for _, kept, _ in wanted])
        return files

    def _resume(self) -> None:
        """Keep proofs again that were kept before a restart."""
        for proof, standing in list(known_standings(self._folder.path)):
            chain = _chain_in(standing.path)
            if not chain or proof_path(self._folder.path, chain[0]) != proof:
                continue
            if self._kept_for(standing.path, chain) is not None:
                self._resumed.add(proof)
                self._sources[standing.path].loaded = proof

    def _kept_for(self, path: str, chain: Chain) -> KeptProof | None:
        """Return the proof for a certificate; None where nobody can be asked."""
        certificate = chain[0]
        file = proof_path(self._folder.path, certificate)
        kept = self._kept.get(file)
        if kept is not None:
            return kept
        urls = urls_for(certificate, self._sources[path].number, self._responders)
        issuer = issuer_of(certificate, iter(chain[1:]))
        before = f"no OCSP proof is fetched for {path}: "
        if not urls:
            self._tell(before + "the certificate names no OCSP responder")
        elif issuer is None:
            self._tell(before + "its issuer's certificate does not follow it")
        if not urls or issuer is None:
            return None
        kept = self._kept[file] = KeptProof(
            path=path,
            subject=Subject(certificate, issuer),
            folder=self._folder.path,
            urls=urls,
            ask=lambda url, request: ask(url, request, ASK_LIMIT, self._proxy),
            now=self._now,
            chance=self._chance,
        )
        return kept

    def _tell(self, text: str, *, is_alarm: bool = False) -> None:
        if text not in self._told:
            self._told.add(text)
            self._log([Report(text, is_alarm)])

    def _log(self, reports: Iterable[Report]) -> None:
        for report in reports:
            (self._logs.panic if report.is_alarm else self._logs.main)(report.text)

    def _use(self, path: str, kept: KeptProof, file: StapleFile) -> None:
        """Let a proof be that for the certificate that was loaded from a file."""
        for other in self._kept.values():
            # A renewed certificate has the file of the one before.
            if file.path and file in other.copies and other is not kept:
                other.copies = ()
        kept.copies = (file,) if file.path else ()
        kept.standing.used_at = self._now()
        source = self._sources[path]
        source.loaded, source.coming = kept.file, ""

    def _begin_now(self, proofs: Sequence[KeptProof], *, may_wait: bool) -> None:
        """Fetch at once what is not there; raise Awaited where that is worth it."""
        now = self._now()
        awaited = []
        for kept in proofs:
            if not self._folder.is_ours:
                kept.open()
            elif kept.wants_work(now):
                self._threads.begin(kept)
            if not kept.is_settled(now) and now < kept.seen_at + _RENEWAL_WAIT:
                awaited.append(kept.name)
        if awaited and may_wait:
            raise Awaited(f"no OCSP proof yet for {', '.join(awaited)}")

    def _begin_at_start(self, proofs: Sequence[KeptProof]) -> None:
        """Fetch before the first client is served, if that is quick."""
        if not self._folder.is_ours:
            return
        now, end = self._now(), time.monotonic() + self._start_wait
        waiting = [one for one in proofs if one.wants_work(now, looks_at_copies=True)]
        begun: list[KeptProof] = []
        while waiting or any(one.is_busy and not one.is_good(now) for one in begun):
            while waiting and not self._threads.are_busy:
                begun.append(waiting.pop())
                self._threads.begin(begun[-1])
            left = end - time.monotonic()
            if left <= 0:
                break
            if any(kept.is_busy for kept in begun):
                self._threads.take(left)
        self._start_wait = max(0.0, end - time.monotonic())

    def startService(self) -> None:
        """Begin to look at the time."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._resumes:
            self._open_folder()
            self._resume()
        self._ticking.start(_TICK)

    def stopService(self) -> None:
        """End; what threads still ask for is given up."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._ticking.running:
            self._ticking.stop()
        self._folder.close()

    def _tick(self) -> None:
        try:
            looks = self._ticks % _LOOK_TICKS == 0
            self._ticks += 1
            if looks:
                self._look()
            if self._folder.is_ours:
                self._work(looks)
        except Exception as error:
            # This must not be the last tick.
            self._tell(f"OCSP trouble: {type(error).__name__}: {error}", is_alarm=True)

    def _work(self, looks_at_copies: bool) -> None:
        """Begin what is due, and tell what is late."""
        now = self._now()
        for kept in self._kept.values():
            if not kept.is_busy:
                self._log(kept.check())
                if kept.wants_work(now, looks_at_copies=looks_at_copies):
                    self._threads.begin(kept)

    def _look(self) -> None:
        """See which certificates have come, and which are no more."""
        self._open_folder()
        for path, source in list(self._sources.items()):
            self._look_at(path, source)
        now = self._now()
        used = {proof_path(self._folder.path, one) for one in self._served()}
        used.update(source.coming for source in self._sources.values())
        for file, kept in list(self._kept.items()):
            if file in self._resumed:
                if kept.standing.used_at < now - UNUSED_SECONDS:
                    self._resumed.discard(file)
            elif file not in used and kept.seen_at < now - _USE_WAIT:
                del self._kept[file]

    def _look_at(self, path: str, source: _Source) -> None:
        """Fetch the proof for a certificate ahead that has come in a file."""
        marks = file_marks([path])
        if marks == source.marks:
            return
        source.marks = marks
        chain = _chain_in(path)
        if not chain:
            # Whoever loads it to serve it tells what is wrong.
            return
        kept = self._kept_for(path, chain)
        source.coming = "" if kept is None else kept.file
        if source.coming != source.loaded:
            self._resumed.discard(source.loaded)

    def _open_folder(self) -> None:
        """Be the one process that fetches, if there is none."""
        try:
            if self._folder.open(self._now()):
                for kept in self._kept.values():
                    kept.open()
        except OSError as error:
            self._tell(
                f"OCSP proofs cannot be kept: {error.filename}: {error.strerror}",
                is_alarm=True,
            )


def _chain_in(path: str) -> Chain:
    try:
        return x509.load_pem_x509_certificates(content_of(path))
    except (OSError, ValueError):
        return ()
