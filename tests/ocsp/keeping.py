"""A proof that is kept, with a clock and a responder that answers as told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.exchange import ExchangeError
from mta.ocsp.fetch import Subject
from mta.ocsp.kept_proof import KeptProof
from mta.tls.staples import StapleFile
from tests.tls.proofs import NOW, Authority, Holder

CA = Authority()
MX = CA.issue(serial=0xABC)
NAME = "certificate /mx.pem (serial number ABC)"
URL = "http://ca.example/"
TIME = NOW.timestamp()
LIFE = 25 * 3600.0
REFUSED = ExchangeError("Connection refused")


class KeptProofCase(SynchronousTestCase):
    """With a folder, a clock, and a responder that answers as told."""

    def setUp(self) -> None:
        """Make the folder."""
        os.mkdir(folder := self.mktemp())
        self.folder = os.path.abspath(folder)
        self.now = TIME
        self.answers: list[Any] = []
        self.asked = 0

    def ask(self, _url: str, _request: bytes) -> bytes:
        """Answer as a responder, or fail."""
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    def keep(
        self,
        *answers: Any,
        copies: tuple[StapleFile, ...] = (),
        ask: Callable[[str, bytes], bytes] | None = None,
        url: str = URL,
        host: Holder = MX,
    ) -> KeptProof:
        """Return the proof that is kept, as after a start."""
        self.answers = list(answers)
        kept = KeptProof(
            path="/mx.pem",
            subject=Subject(host.certificate, CA.certificate),
            folder=self.folder,
            urls=[url],
            ask=ask or self.ask,
            now=lambda: self.now,
            chance=lambda: 0.0,
        )
        kept.copies = copies
        return kept

    def content(self, path: str) -> bytes:
        """Return what is in a file; empty where there is none."""
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            return file.read()

    def path(self, name: str, octets: bytes | None = None) -> str:
        """Return a path beside the folder, where a file may be written first."""
        path = f"{self.folder}.{name}"
        if octets is not None:
            with open(path + ".next", "wb") as file:
                file.write(octets)
            os.rename(path + ".next", path)
        return path
