"""Contexts that connections negotiate with: made when needed, kept, and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from OpenSSL import SSL

from mta.errors import TemporaryFailure
from mta.interfaces import ILogs
from mta.options import split_list
from mta.tls import key_exchange
from mta.tls.certificates import KeyPair, reason_of
from mta.tls.generation import Generation, load_generation
from mta.tls.self_signed import SelfSigned, make_self_signed
from mta.tls.server import server_context, staple
from mta.tls.server_settings import UNAVAILABLE, TLSSettings
from mta.tls.staples import ProofFiles, StapleFile, staple_files
from mta.tls.trust import Trust, load_trust, trust_files
from mta.tls.watched import Watched

_REMEMBERED = 1000

T = TypeVar("T")
K = TypeVar("K")


@dataclass(slots=True)
class _Made:
    """A context, and what it was made of."""

    context: SSL.Context
    served: Generation | SelfSigned
    trust: Trust | None
    prime: bytes


class _Kept(dict[K, T], Generic[K, T]):
    """What was made for each of a limited number of keys; the oldest go first."""

    def keep(self, key: K, value: T) -> T:
        if len(self) >= _REMEMBERED:
            del self[next(iter(self))]
        self[key] = value
        return value


class ServerContexts:
    """Makes contexts, each from files that are read together.

    Files are looked at again every few seconds.  Where changed ones cannot be used,
    what was loaded before is still served.  ``bits`` are OpenSSL's options,
    ``longest_prime`` the most bits of a Diffie-Hellman prime, ``proofs`` who keeps
    OCSP responses, if anybody does.  ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        host_name: str,
        bits: int,
        longest_prime: int,
        proofs: ProofFiles | None,
        logs: ILogs,
        clock: Callable[[], float],
    ) -> None:
        self._host_name = host_name
        self._bits = bits
        self._longest_prime = longest_prime
        self._proofs = proofs
        self._logs = logs
        self._clock = clock
        self._generations: _Kept[tuple[str, str, str], Watched[Generation]] = _Kept()
        self._trusts: _Kept[tuple[str, str], Watched[Trust]] = _Kept()
        self._primes: _Kept[str, Watched[bytes]] = _Kept()
        self._contexts: _Kept[TLSSettings, _Made] = _Kept()
        self._made: SelfSigned | None = None

    def look_again(self) -> None:
        """Look at all files when the next client comes, however short ago that was."""
        for generation in self._generations.values():
            generation.look_again()
        for trust in self._trusts.values():
            trust.look_again()
        for prime in self._primes.values():
            prime.look_again()

    def pairs(self) -> Iterator[KeyPair]:
        """Give the certificates from files that are served now."""
        for watched in self._generations.values():
            if watched.value is not None:
                yield from watched.value.pairs

    def context(self, settings: TLSSettings) -> SSL.Context:
        """Return the context for settings; raise TemporaryFailure."""
        now = self._clock()
        served = self._served(settings, now)
        trust = self._trust(settings, now)
        prime = self.prime(settings.prime)
        made = self._contexts.get(settings)
        if (
            made is not None
            and made.served is served
            and made.trust is trust
            and made.prime is prime
        ):
            return made.context
        context = self._make(settings, served, trust, prime)
        self._contexts.keep(settings, _Made(context, served, trust, prime))
        return context

    def _make(
        self,
        settings: TLSSettings,
        served: Generation | SelfSigned,
        trust: Trust | None,
        prime: bytes,
    ) -> SSL.Context:
        context = self.blank(settings)
        if prime:
            key_exchange.use_finite_field(context, prime)
        if trust is not None:
            trust.use(context)
        _use(served, context, settings)
        staple(context, served.staples)
        return context

    def blank(self, settings: TLSSettings) -> SSL.Context:
        """Return a context that has no certificate yet."""
        try:
            context = server_context(settings.ciphers, self._bits)
        except SSL.Error as error:
            text = f"tls_require_ciphers invalid: {settings.ciphers}"
            raise TemporaryFailure(UNAVAILABLE, log_text=text) from error
        if settings.group_names:
            key_exchange.use_groups(context, settings.group_names)
        return context

    def _served(self, settings: TLSSettings, now: float) -> Generation | SelfSigned:
        if settings.certificates:
            return self._generation(settings).current(now)
        if self._made is None or self._made.expires <= now:
            self._made = make_self_signed(self._host_name, now)
        return self._made

    def _generation(self, settings: TLSSettings) -> Watched[Generation]:
        key = settings[:3]
        watched = self._generations.get(key)
        if watched is not None:
            return watched
        certificates, keys, named = map(split_list, key)
        used = files = staple_files(named)

        def responses(pairs: Sequence[KeyPair], may_wait: bool) -> Sequence[StapleFile]:
            nonlocal used
            used = self._responses(pairs, files, may_wait)
            return used

        def load(earlier: Generation | None) -> Generation:
            generation = load_generation(
                certificates,
                keys,
                lambda pairs: responses(pairs, earlier is not None),
                earlier=earlier,
                logs=self._logs,
                clock=self._clock,
            )
            _compare(generation, earlier, settings)
            return generation

        return self._generations.keep(
            key,
            Watched(
                load,
                lambda: [*certificates, *keys],
                awaited=lambda: [file.path for file in used],
                name=f"certificate {settings.certificates}",
                logs=self._logs,
            ),
        )

    def _responses(
        self, pairs: Sequence[KeyPair], named: Sequence[StapleFile], may_wait: bool
    ) -> list[StapleFile]:
        """Return the files of proofs: those that are named, or those kept for us."""
        if self._proofs is None:
            return list(named)
        chains = [(pair.path, pair.chain) for pair in pairs]
        return list(self._proofs.files_for(chains, named, may_wait=may_wait))

    def _trust(self, settings: TLSSettings, now: float) -> Trust | None:
        key = (settings.authorities, settings.revocations)
        if not settings.authorities:
            return None
        watched = self._trusts.get(key)
        if watched is None:
            watched = self._trusts.keep(
                key,
                Watched(
                    lambda _: load_trust(*key),
                    lambda: trust_files(*key),
                    name="tls_verify_certificates and tls_crl",
                    logs=self._logs,
                ),
            )
        return watched.current(now)

    def prime(self, name: str) -> bytes:
        """Return the parameters that ``tls_dhparam`` names; empty for none."""
        if name in ("", "none"):
            return b""
        watched = self._primes.get(name)
        if watched is None:
            watched = self._primes.keep(
                name,
                Watched(
                    lambda _: key_exchange.finite_field(name, self._longest_prime),
                    lambda: [name] if name.startswith("/") else [],
                    name=f"tls_dhparam {name}",
                    logs=self._logs,
                ),
            )
        return watched.current(self._clock())


def _use(
    served: Generation | SelfSigned, context: SSL.Context, settings: TLSSettings
) -> None:
    try:
        served.use(context)
    except (OSError, SSL.Error) as error:
        text = f"cert/key setup: cert={settings.certificates}: {reason_of(error)}"
        raise TemporaryFailure(UNAVAILABLE, log_text=text) from error


def _compare(
    generation: Generation, earlier: Generation | None, settings: TLSSettings
) -> None:
    """Refuse what OpenSSL does, such as a short key, where it took the earlier one.

    With ciphers of its own a site may have allowed it.
    """
    if earlier is None:
        return
    try:
        _use(earlier, server_context(), settings)
    except TemporaryFailure:
        return
    _use(generation, server_context(), settings)
