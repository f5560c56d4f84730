"""Look for a host's certificate in the revocation lists that it names."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mta.expand.context import Context
from mta.tls.policy import ClientTLSPolicy, Staple, Verify
from mta.tls.verdict import UNASKED, Check, absent, met, unmet

if TYPE_CHECKING:
    from mta.tls.client import ClientTLSSession
    from mta.tls.crl_cache import RevocationLists

T = TypeVar("T")


class FetchedLists:
    """Asks revocation lists of certificates that nothing else says anything about.

    Lists are made by ``make`` when they are first needed.
    """

    def __init__(self, make: Callable[[], RevocationLists]) -> None:
        self._make = make
        self._lists: RevocationLists | None = None

    async def check(self, session: ClientTLSSession, connection: Any) -> Check:
        """Return what the lists say of the certificate of a finished handshake.

        That no list is to be had is no reason to send nothing.
        """
        policy = session.policy
        if not policy.fetches_lists or policy.dane or session.problem:
            # DANE knows no lists; who is not trusted must not say what we connect to.
            return UNASKED
        told = session.staple.is_good or session.verdict.crl.met
        if session.verdict.chain.met is not True or told:
            return UNASKED
        from mta.tls.crl import Finding, names_responder  # noqa: PLC0415 (start-up)

        try:
            chain = connection.get_verified_chain(as_cryptography=True)
        except Exception:
            # The library has many names for what a peer can send.
            return absent("unreadable certificates")
        if not chain or names_responder(chain[0]):
            return UNASKED
        if self._lists is None:
            self._lists = self._make()
        verdict = await self._lists.verdict(chain[0], chain[min(1, len(chain) - 1)])
        if verdict.finding is Finding.GOOD:
            return met()
        if verdict.finding is Finding.REVOKED:
            return unmet(verdict.reason, required=_ends_session(policy))
        return absent(verdict.reason)

    def close(self) -> None:
        """Fetch no more."""
        if self._lists is not None:
            self._lists.close()


def _ends_session(policy: ClientTLSPolicy) -> bool:
    return policy.verify is Verify.REQUIRE or policy.staple is Staple.REQUIRE


def fetched_lists(reactor: Any, thread_pool: Any, context: Context) -> FetchedLists:
    """Return the lists of a transport, which are kept below the spool directory."""
    site = context.site
    directory = os.path.join(site.spool_directory, "crl")

    def make() -> RevocationLists:
        # Start-up time: these load Twisted's web client.
        from mta.tls.crl_cache import RevocationLists  # noqa: PLC0415
        from mta.tls.crl_fetch import CRLFetcher  # noqa: PLC0415

        def warn(text: str) -> None:
            if site.logs is not None:
                site.logs.main(text)

        return RevocationLists(
            directory=directory,
            fetch=CRLFetcher(reactor).fetch,
            clock=reactor,
            now=time.time,
            in_thread=partial(_in_thread, reactor, thread_pool),
            warn=warn,
        )

    return FetchedLists(make)


async def _in_thread(reactor: Any, pool: Any, work: Callable[[], T]) -> T:
    from twisted.internet.threads import deferToThreadPool  # noqa: PLC0415

    done: Awaitable[T] = deferToThreadPool(reactor, pool, work)
    return await done
