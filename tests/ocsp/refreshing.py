"""Certificates in files, a responder that knows them, and what keeps proofs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cryptography import x509
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.log import DEFAULT_SELECTORS
from mta.ocsp import refresher as refresher_module
from mta.ocsp.kept_proof import proof_path
from mta.ocsp.refresher import Refresher
from mta.testing import MemoryLogs
from mta.tls.staples import StapleFile
from tests.ocsp.keeping import CA, MX, TIME
from tests.tls.proofs import Holder

URL = "http://ca.example/"
OTHER = CA.issue("other.example")
NEW = CA.issue(serial=0xDEF)


class ReactorClock(Clock):
    """A clock whose threads are the test's own."""

    def callFromThread(self, call: Callable[[], None]) -> None:
        """Call at once."""
        call()


class RefresherCase(SynchronousTestCase):
    """With certificates in files, and a responder that knows them."""

    def setUp(self) -> None:
        """Write the files."""
        os.mkdir(directory := self.mktemp())
        self.directory = os.path.abspath(directory)
        self.folder = os.path.join(self.directory, "spool", "ocsp")
        self.logs = MemoryLogs(DEFAULT_SELECTORS)
        self.clock = ReactorClock()
        self.asked: list[tuple[str, int, str]] = []
        self.answers: dict[int, Any] = {}
        self.running: list[Callable[[], None]] = []
        self.served: list[x509.Certificate] = []
        self.holders = [MX, OTHER, NEW]
        self.patch(refresher_module, "ask", self.ask)

    def ask(self, url: str, request: bytes, limit: float, proxy: str) -> bytes:
        """Answer for a certificate."""
        serial = x509.ocsp.load_der_ocsp_request(request).serial_number
        self.asked.append((url, serial, proxy))
        answer = self.answers.get(serial)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return bytes(answer)
        [holder] = [
            one for one in self.holders if one.certificate.serial_number == serial
        ]
        return CA.respond(holder.certificate)

    def refresher(
        self, *responders: str, is_slow: bool = False, **more: Any
    ) -> Refresher:
        """Return one; where it is slow, threads wait for ``run_threads``."""

        def start(run: Callable[[], None]) -> None:
            self.running.append(run) if is_slow else run()

        refresher = Refresher(
            folder=self.folder,
            responders=responders or [URL],
            served=lambda: self.served,
            logs=self.logs,
            reactor=self.clock,
            now=lambda: TIME + self.clock.seconds(),
            chance=lambda: 0.0,
            start_thread=start,
            **{"proxy": "", "start_wait": 0.0 if is_slow else 20.0, **more},
        )
        self.addCleanup(refresher.stopService)
        return refresher

    def run_threads(self) -> None:
        """Let the threads that wait run to their end."""
        while self.running:
            self.running.pop(0)()

    def write(self, name: str, *holders: Holder) -> str:
        """Write a chain into a file; return its path."""
        path = os.path.join(self.directory, name)
        with open(path + ".next", "wb") as file:
            file.write(b"".join(holder.pem for holder in holders))
        os.rename(path + ".next", path)
        return path

    def chain(self, name: str, holder: Holder) -> tuple[str, list[x509.Certificate]]:
        """Write the chain of a holder; return it with its path."""
        path = self.write(name, holder, CA.holder)
        return path, [holder.certificate, CA.certificate]

    def serve(
        self,
        refresher: Refresher,
        *chains: tuple[str, list[x509.Certificate]],
        named: tuple[StapleFile, ...] = (),
        may_wait: bool = False,
    ) -> list[bytes]:
        """Load certificates to serve; return the proofs that are there for them."""
        files = refresher.files_for(chains, named, may_wait=may_wait)
        self.served = [chain[0] for _, chain in chains]
        return [self.content(file.path) for file in files]

    def content(self, path: str) -> bytes:
        """Return what is in a file; empty where there is none."""
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            return file.read()

    def kept(self, holder: Holder) -> bytes:
        """Return the proof that is kept for a certificate."""
        return self.content(proof_path(self.folder, holder.certificate))

    def advance(self, seconds: int) -> None:
        """Let time pass, a second after the other."""
        self.clock.pump([1.0] * seconds)

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]
