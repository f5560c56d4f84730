"""Work on proofs in threads: a responder may take its time, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from mta.ocsp.kept_proof import KeptProof, Report

_LIMIT = 4
_AFTER_TROUBLE = 3600.0


class ProofThreads:
    """Lets kept proofs work in a few threads, each in one at most.

    ``report`` is called in the reactor's thread, or in that of ``take``.
    """

    def __init__(
        self,
        *,
        call_in_reactor: Callable[..., Any],
        report: Callable[[list[Report]], None],
        start_thread: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._call_in_reactor = call_in_reactor
        self._report = report
        self._start_thread = start_thread or _start
        self._done: SimpleQueue[tuple[KeptProof, list[Report]]] = SimpleQueue()
        self._count = 0

    @property
    def are_busy(self) -> bool:
        """Whether no other work can begin."""
        return self._count >= _LIMIT

    def begin(self, kept: KeptProof) -> None:
        """Let a proof work, unless too many do."""
        if self.are_busy or kept.is_busy:
            return
        self._count += 1
        kept.is_busy = True
        self._start_thread(lambda: self._run(kept))

    def _run(self, kept: KeptProof) -> None:
        try:
            reports = kept.work()
        except Exception as error:
            # Whatever it is, certificates go on being served.
            reports = kept.stumbled(error, _AFTER_TROUBLE)
        self._done.put((kept, reports))
        self._call_in_reactor(self.take)

    def take(self, wait: float = 0.0) -> None:
        """Take what was done; where nothing was, wait so long for something."""
        try:
            while True:
                kept, reports = self._done.get(wait > 0, wait or None)
                wait = 0.0
                self._count -= 1
                kept.is_busy = False
                self._report(reports)
        except Empty:
            return


def _start(run: Callable[[], None]) -> None:
    # One that hangs must not keep the process from ending.
    threading.Thread(target=run, daemon=True, name="ocsp").start()
