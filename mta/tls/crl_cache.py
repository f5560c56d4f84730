"""Revocation lists that were fetched, kept in memory and over a restart on disk."""

from __future__ import annotations

import hashlib
import math
import os
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from twisted.internet.defer import CancelledError, Deferred

from mta.ownership import give_away, make_directory
from mta.tls.crl import (
    SIZE_LIMIT,
    Finding,
    RevocationList,
    UnusableList,
    Verdict,
    distribution_urls,
    read_list,
)
from mta.tls.crl_fetch import CRLFetchError

T = TypeVar("T")

WAIT_LIMIT = 10.0
RETRY = 600.0
REFRESH = 12 * 3600.0
PLACES_LIMIT = 256
MEMORY_LIMIT = 64 * 1024 * 1024
FILES_LIMIT = 256
DISK_LIMIT = 256 * 1024 * 1024
_JUDGED_LIMIT = 256
_NOTHING_YET = Verdict(Finding.UNAVAILABLE, "it is still being fetched")


class InThread(Protocol):
    """Runs something that takes a while where it holds nobody up."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]: ...


@dataclass(slots=True, eq=False)
class _Place:
    """The list of one issuer at one URL: what we have of it, and since when.

    ``problem`` says why there is none, ``failed_at`` when it was last not to be had.
    """

    url: str
    issuer: x509.Certificate
    found: RevocationList | None = None
    fetched_at: float = -math.inf
    failed_at: float = -math.inf
    problem: Verdict = _NOTHING_YET
    work: Deferred[None] | None = None
    waiting: list[Deferred[None]] = field(default_factory=list)
    judged: dict[bytes, Verdict] = field(default_factory=dict)

    def is_usable(self, now: float) -> bool:
        """Return whether there is a list to rely upon."""
        return self.found is not None and self.found.is_current(now)

    def is_due(self, now: float) -> bool:
        """Return whether a newer list should be looked for."""
        if now < self.failed_at + RETRY:
            return False
        if self.found is None:
            return True
        life = self.found.next_update - self.found.this_update
        return now >= self.fetched_at + min(REFRESH, life / 2)

    def keep(self, found: RevocationList, fetched_at: float) -> None:
        """Take a list that was read; an older one than before is not put in."""
        self.fetched_at = fetched_at
        if self.found is None or found.this_update >= self.found.this_update:
            self.found = found
            self.judged.clear()

    def fail(self, problem: Verdict, now: float) -> None:
        """Note that no list was to be had."""
        self.problem, self.failed_at = problem, now


class RevocationLists:
    """Says whether certificates are revoked, by the lists that they name.

    Where a list must be fetched first, the answer waits for it a few seconds; the
    fetching goes on.  ``fetch`` gives the octets at a URL or raises CRLFetchError,
    ``now`` is the time of day, ``clock`` the reactor's, ``warn`` is told where lists
    cannot be kept in ``directory``.
    """

    def __init__(
        self,
        *,
        directory: str,
        fetch: Callable[[str], Awaitable[bytes]],
        clock: Any,
        now: Callable[[], float],
        in_thread: InThread,
        warn: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._fetch = fetch
        self._clock = clock
        self._now = now
        self._in_thread = in_thread
        self._warn = warn
        self._has_warned = False
        self._places: OrderedDict[tuple[str, bytes], _Place] = OrderedDict()

    async def verdict(
        self, certificate: x509.Certificate, issuer: x509.Certificate
    ) -> Verdict:
        """Return what the lists of its issuer say of a certificate.

        Both must be of a chain that was verified.
        """
        urls = distribution_urls(certificate)
        verdict = Verdict(Finding.UNAVAILABLE, "the certificate names none")
        until = self._clock.seconds() + WAIT_LIMIT
        for url in urls:
            verdict = await self._judge(self._place(url, issuer), certificate, until)
            if verdict.is_known:
                break
        return verdict

    def close(self) -> None:
        """Fetch no more."""
        for place in self._places.values():
            if place.work is not None:
                place.work.cancel()

    async def _judge(
        self, place: _Place, certificate: x509.Certificate, until: float
    ) -> Verdict:
        now = self._now()
        if place.work is None and place.is_due(now):
            self._begin(place)
        if not place.is_usable(now):
            await self._wait(place, until)
        found, now = place.found, self._now()
        if found is None:
            return place.problem
        if not found.is_current(now):
            # It tells more why there is no newer one.
            old = found.judge(certificate, place.url, now)
            return old if place.problem is _NOTHING_YET else place.problem
        mark = certificate.fingerprint(hashes.SHA256())
        verdict = place.judged.get(mark)
        if verdict is None:
            url = place.url
            verdict = await self._in_thread(lambda: found.judge(certificate, url, now))
            if len(place.judged) >= _JUDGED_LIMIT:
                place.judged.clear()
            if place.found is found:
                place.judged[mark] = verdict
        return verdict

    def _place(self, url: str, issuer: x509.Certificate) -> _Place:
        key = (url, issuer.fingerprint(hashes.SHA256()))
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = _Place(url, issuer)
        self._places.move_to_end(key)
        self._forget()
        return place

    def _forget(self) -> None:
        """Let go of the lists that were not asked for longest, beyond the limits."""
        size = sum(p.found.size for p in self._places.values() if p.found is not None)
        for key, place in list(self._places.items())[:-1]:
            if len(self._places) <= PLACES_LIMIT and size <= MEMORY_LIMIT:
                break
            if place.work is None:
                size -= 0 if place.found is None else place.found.size
                del self._places[key]

    async def _wait(self, place: _Place, until: float) -> None:
        """Wait until the list is there or not to be had, but not too long."""
        left = until - self._clock.seconds()
        if place.work is None or left <= 0:
            return
        waiter: Deferred[None] = Deferred()
        place.waiting.append(waiter)
        timer = self._clock.callLater(left, waiter.callback, None)
        try:
            await waiter
        finally:
            if timer.active():
                timer.cancel()
            if waiter in place.waiting:
                place.waiting.remove(waiter)

    def _begin(self, place: _Place) -> None:
        work = Deferred.fromCoroutine(self._renew(place))
        place.work = work

        def ended(_result: object) -> None:
            place.work = None
            waiting, place.waiting = place.waiting, []
            for waiter in waiting:
                if not waiter.called:
                    waiter.callback(None)

        work.addBoth(ended)

    async def _renew(self, place: _Place) -> None:
        """Look for a list on disk, where none is in memory, and then at its URL."""
        try:
            if place.found is None:
                await self._load(place)
            if place.is_due(self._now()):
                octets = await self._fetch(place.url)
                await self._take(place, octets)
        except CRLFetchError as error:
            place.fail(Verdict(Finding.UNAVAILABLE, str(error)), self._now())
        except UnusableList as error:
            place.fail(error.verdict, self._now())
        except CancelledError:
            place.fail(Verdict(Finding.UNAVAILABLE, "interrupted"), self._now())
        except Exception as error:
            # Nobody waits for this work; whatever was wrong, there is no list.
            text = f"{type(error).__name__}: {error}"
            place.fail(Verdict(Finding.UNAVAILABLE, text), self._now())

    async def _load(self, place: _Place) -> None:
        path, issuer, now = self._path(place), place.issuer, self._now()

        def load() -> tuple[RevocationList, float] | None:
            try:
                with open(path, "rb") as file:
                    octets = file.read(SIZE_LIMIT + 1)
                    fetched_at = os.fstat(file.fileno()).st_mtime
                return read_list(octets, issuer, now), min(fetched_at, now)
            except (OSError, UnusableList):
                return None

        loaded = await self._in_thread(load)
        if loaded is not None:
            place.keep(*loaded)

    async def _take(self, place: _Place, octets: bytes) -> None:
        path, issuer, now = self._path(place), place.issuer, self._now()

        def read() -> tuple[RevocationList, str]:
            found = read_list(octets, issuer, now)
            try:
                _write(path, octets)
            except OSError as error:
                return found, f"cannot keep revocation lists: {error}"
            return found, ""

        found, warning = await self._in_thread(read)
        place.keep(found, now)
        if warning and not self._has_warned:
            self._has_warned = True
            self._warn(warning)

    def _path(self, place: _Place) -> str:
        name = hashlib.sha256(place.url.encode("utf-8", "replace")).hexdigest()
        return os.path.join(self._directory, f"{name}.crl")


def _write(path: str, octets: bytes) -> None:
    """Put octets into a file at once, and let old files go where there are many."""
    directory = os.path.dirname(path)
    make_directory(directory)
    temporary = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with open(descriptor, "wb") as file:
            give_away(descriptor, temporary)
            file.write(octets)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _prune(directory)


def _prune(directory: str) -> None:
    """Remove the files that were written longest ago, beyond the limits."""
    with os.scandir(directory) as entries:
        files = [(entry.stat(), entry.path) for entry in entries if entry.is_file()]
    files.sort(key=lambda file: file[0].st_mtime, reverse=True)
    size = 0
    for count, (status, path) in enumerate(files):
        size += status.st_size
        if count >= FILES_LIMIT or size > DISK_LIMIT:
            with suppress(OSError):
                os.unlink(path)
