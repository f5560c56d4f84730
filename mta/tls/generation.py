"""Certificates, their keys and their OCSP responses, which are changed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from OpenSSL import SSL

from mta.errors import TemporaryFailure
from mta.interfaces import ILogs
from mta.tls.certificates import KeyPair, doubts, load_pairs
from mta.tls.staples import StapleFile, Staples, staples_for


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """What was loaded together, and is served until a later one is good."""

    pairs: tuple[KeyPair, ...]
    staples: Staples

    def use(self, context: SSL.Context) -> None:
        """Let a context serve the certificates."""
        for pair in self.pairs:
            pair.use(context)

    def is_valid(self, now: float) -> bool:
        """Return whether no certificate of this host has ended."""
        moment = datetime.fromtimestamp(now, UTC)
        return all(p.certificate.not_valid_after_utc >= moment for p in self.pairs)


def load_generation(
    certificates: Sequence[str],
    keys: Sequence[str],
    responses: Callable[[Sequence[KeyPair]], Sequence[StapleFile]],
    *,
    earlier: Generation | None,
    logs: ILogs,
    clock: Callable[[], float],
) -> Generation:
    """Return what stands in files now; ``responses`` gives the files of the proofs.

    A certificate that clients only take with a proof, of which there is none, does not
    push out an earlier one that has not ended.  What clients may not like is logged.
    Raises TemporaryFailure, its log text naming the file.
    """
    now = clock()
    pairs = load_pairs(certificates, keys)
    chains = [(pair.path, pair.chain) for pair in pairs]
    staples = staples_for(chains, responses(pairs), logs=logs, clock=clock)
    if staples.lacking and earlier is not None and earlier.is_valid(now):
        raise TemporaryFailure(
            "TLS currently unavailable", log_text="; ".join(staples.lacking)
        )
    for text in staples.lacking:
        logs.panic(text)
    for pair in pairs:
        for text in doubts(pair, now):
            logs.main(f"Warning: {text}")
    return Generation(pairs, staples)
