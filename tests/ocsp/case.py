"""A CA whose certificates are good, revoked or unknown, and a responder for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from twisted.trial.unittest import TestCase

from mta.ocsp.index import Index
from mta.ocsp.responder import Responder
from mta.ocsp.signing import Issuer, Signer
from tests.tls.proofs import Authority, Holder

GOOD_SERIAL, REVOKED_SERIAL, UNKNOWN_SERIAL = 0x0A, 0xFFFF0B, 0x0C
INDEX = (
    "V\t491231235959Z\t\t0A\tunknown\t/CN=a\n"
    "R\t491231235959Z\t260101000000Z,keyCompromise\tFFFF0B\tunknown\t/CN=b\n"
)


@cache
def authority() -> Authority:
    """Return the CA, whose certificates are valid as the machine's clock has it."""
    return Authority(now=datetime.now(UTC).replace(microsecond=0))


@cache
def delegate() -> Holder:
    """Return who signs for the CA."""
    return authority().delegate(signs=True)


@cache
def issued(serial: int) -> Holder:
    """Return a certificate of the CA."""
    return authority().issue(serial=serial)


class ResponderCase(TestCase):
    """With an index in a file, and a responder whose clock stands still."""

    now: float

    def setUp(self) -> None:
        """Write the index."""
        self.now = authority().now.timestamp()
        self.logged: list[str] = []
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.index_path = self.write("index.txt", INDEX.encode())

    def write(self, name: str, octets: bytes) -> str:
        """Write a file, as another than before; return its path."""
        path = os.path.join(self.directory, name)
        with open(path + ".next", "wb") as file:
            file.write(octets)
        os.rename(path + ".next", path)
        return path

    def responder(self, signer: Holder | None = None, **changes: Any) -> Responder:
        """Return a responder."""
        holder = signer or delegate()
        known: dict[str, Any] = {
            "issuer": Issuer.of(authority().certificate),
            "index": Index(self.index_path),
            "signer": Signer(authority().certificate, holder.certificate, holder.key),
            "validity": 86400.0,
            "now": lambda: self.now,
            "log": self.logged.append,
        }
        return Responder(**{**known, **changes})
