"""Answers to OCSP requests: signed once, kept, and signed anew in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from mta.ocsp.der import DERError
from mta.ocsp.index import UNKNOWN, Index, IndexFileError
from mta.ocsp.request import CertID, read_request
from mta.ocsp.signing import (
    MALFORMED_REQUEST,
    TRY_LATER,
    UNAUTHORIZED,
    Issuer,
    Signer,
    failure,
)

CACHE_LIMIT = 10_000
# Half a day old an answer for a day is signed anew: clients that fetch at the end of
# theirs get one that lasts.
_SIGNED_ANEW = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the times are 0 where it was not signed, and must not be kept."""

    octets: bytes
    this_update: float = 0.0
    next_update: float = 0.0


_MALFORMED = Answer(failure(MALFORMED_REQUEST))
_UNAUTHORIZED = Answer(failure(UNAUTHORIZED))
_TRY_LATER = Answer(failure(TRY_LATER))


class Responder:
    """Says of a CA's certificates what its list says of them."""

    def __init__(
        self,
        *,
        issuer: Issuer,
        index: Index,
        signer: Signer,
        validity: float,
        now: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._issuer = issuer
        self._index = index
        self._signer = signer
        self._validity = validity
        self._now = now
        self._log = log
        self._kept: OrderedDict[tuple[bytes, ...], Answer] = OrderedDict()
        self._generation = 0
        self._trouble = ""

    def use(self, signer: Signer) -> None:
        """Let another signer sign from now on."""
        self._signer = signer
        self._kept.clear()

    def answer(self, octets: bytes) -> Answer:
        """Return the response to a request, whatever that is."""
        try:
            certificates = read_request(octets)
        except DERError:
            return _MALFORMED
        if not self._is_able():
            return _TRY_LATER
        if not any(map(self._issuer.has_issued, certificates)):
            return _UNAUTHORIZED
        return self._signed(certificates)

    def sign_ahead(self) -> Iterator[None]:
        """Sign what most clients will ask for, one certificate a step.

        As many as are kept; the rest are signed when they are asked for.
        """
        if not self._is_able():
            return
        for serial in list(islice(self._index.serials(), CACHE_LIMIT)):
            if not self._is_able():
                return
            self._signed((self._issuer.cert_id(serial),))
            yield

    def generation(self) -> int:
        """Return which reading of the list answers come from; 0 where there is none."""
        return self._generation if self._is_able() else 0

    def _is_able(self) -> bool:
        """Return whether list and certificates can be used; log when they cannot."""
        trouble = ""
        try:
            self._index.refresh()
        except IndexFileError as error:
            trouble = str(error)
        if self._signer.ends <= self._now():
            trouble = "the signer's certificate, or the CA's, has expired"
        if self._generation != self._index.generation:
            self._generation = self._index.generation
            self._kept.clear()
        if trouble != self._trouble:
            self._trouble = trouble
            self._log(f"no answers: {trouble}" if trouble else "answering again")
        return not trouble

    def _signed(self, certificates: tuple[CertID, ...]) -> Answer:
        """Return what was signed for these certificates, or sign it now."""
        key = tuple(certificate.octets for certificate in certificates)
        now = float(int(self._now()))
        kept = self._kept.get(key)
        if kept is not None and self._is_fresh(kept, now):
            self._kept.move_to_end(key)
            return kept
        ends = [self._signer.ends, now + self._validity]
        entries = []
        for certificate in certificates:
            entry = UNKNOWN
            if self._issuer.has_issued(certificate):
                entry = self._index.entry(certificate.serial, now)
            entries.append((certificate, entry))
            if entry.ends > now:
                ends.append(entry.ends)
        next_update = min(ends)
        octets = self._signer.sign(entries, now, next_update)
        answer = Answer(octets, now, next_update)
        if len(entries) > 1 or entries[0][1] is UNKNOWN:
            # Anybody can think of any number of these.
            return answer
        self._kept[key] = answer
        self._kept.move_to_end(key)
        if len(self._kept) > CACHE_LIMIT:
            self._kept.popitem(last=False)
        return answer

    def _is_fresh(self, answer: Answer, now: float) -> bool:
        life = answer.next_update - answer.this_update
        # A clock that was set back makes answers that begin later.
        return 0 <= now - answer.this_update < life * _SIGNED_ANEW
