"""A cache of MTA-STS policies, and a domain that has one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.host import Answer
from mta.testing import FakeResolver, result_of
from mta.tls.sts import WEBPKI_INVALID, FetchFailure, Mode
from mta.tls.sts_cache import Finding, PolicyCache

DAY = 86400.0
DOMAIN = "example.test"
RECORD = (f"_mta-sts.{DOMAIN}", "TXT")
FAULT = FetchFailure("no certificate", WEBPKI_INVALID)


def policy_file(mode: str = "enforce", age: int = 604800) -> bytes:
    """Return a policy for the host mx.example.test."""
    text = f"version: STSv1\nmode: {mode}\nmx: mx.example.test\nmax_age: {age}\n"
    return text.encode()


class StoredHints:
    """Hints that a test can look at, or make unreadable."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], tuple[Any, float]] = {}
        self.now = 0.0
        self.is_broken = False
        self.writes = 0

    def find(self, kind: str, key: str) -> Any:
        if self.is_broken:
            raise SpoolError("disk I/O error")
        value, expires = self.values.get((kind, key), (None, 0.0))
        return value if self.now < expires else None

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        self.writes += 1
        self.values[kind, key] = (value, expires)

    def items(self, kind: str) -> list[tuple[str, Any]]:
        return [
            (key, value)
            for (one, key), (value, expires) in self.values.items()
            if one == kind and self.now < expires
        ]


class CacheCase(SynchronousTestCase):
    """A domain with a record and a policy file, both to be changed by a test."""

    def setUp(self) -> None:
        self.hints = StoredHints()
        self.hints.now = 1_000_000.0
        self.resolver = FakeResolver({RECORD: [b"v=STSv1; id=1"]})
        self.files: dict[str, Any] = {DOMAIN: policy_file()}
        self.fetched: list[str] = []
        self.lines: list[str] = []
        self.reactor = Clock()
        self.cache = self.new_cache()

    def new_cache(self, hints: Any = "stored") -> PolicyCache:
        """Return a cache as a process that was just started has it."""
        return PolicyCache(
            resolver=self.resolver,
            reactor=self.reactor,
            fetch=self.fetch,
            hints=self.hints if hints == "stored" else hints,
            clock=lambda: self.hints.now,
            log=self.lines.append,
        )

    def be_silent(self) -> list[tuple[str, str]]:
        """Let no question be answered from now on; return where they are gathered."""
        asked: list[tuple[str, str]] = []

        async def query(name: str, kind: str) -> Answer:
            asked.append((name, kind))
            return await Deferred()

        self.patch(self.resolver, "query", query)
        return asked

    async def fetch(self, domain: str) -> bytes:
        self.fetched.append(domain)
        served = self.files[domain]
        if isinstance(served, Deferred):
            return await served
        if isinstance(served, Exception):
            raise served
        return served

    def find(self, after: float = 0.0, domain: str = DOMAIN) -> Finding:
        """Ask for a policy some seconds later."""
        self.hints.now += after
        return result_of(self.cache.find(domain))

    def mode(self, after: float = 0.0) -> Mode | None:
        """Return the mode of the policy in force some seconds later."""
        policy = self.find(after).policy
        return policy.mode if policy else None

    def announce(
        self, identifier: str, mode: str = "enforce", age: int = 604800
    ) -> None:
        """Publish a record with an id, and a policy."""
        self.resolver.records[RECORD] = [f"v=STSv1; id={identifier}".encode()]
        self.files[DOMAIN] = policy_file(mode, age)
