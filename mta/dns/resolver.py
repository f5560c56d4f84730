"""The resolver: cache, choice of the server, and the questions in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import dns.entropy
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.reversename
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThreadPool

from mta.dns.answers import authority_of, joined, read_answer
from mta.dns.exchange import DatagramExchange, Server, StreamExchange, StreamFactory
from mta.dns.names import (
    canonical_name,
    everybody,
    ip_address_of,
    is_loopback,
    known_without_asking,
    nobody,
)
from mta.dns.system import ask_system, read_resolv_conf
from mta.errors import ExpansionError, TemporaryFailure
from mta.host import Answer, Outcome

EDNS_PAYLOAD = 1232
POSITIVE_TTL_LIMIT = 86400
NEGATIVE_TTL_LIMIT = 3600
CACHE_LIMIT = 10000
SYSTEM_LOOKUPS_AT_ONCE = 10
SYSTEM_LOOKUP_LIMIT = 30.0


class Resolver:
    """Asks the name servers of ``/etc/resolv.conf``, or those it is given.

    A server is ``(IP address, port)``.  Each try waits ``timeout`` seconds, each
    server is tried ``attempts`` times.  The AD bit is believed only from servers
    that ``is_trusted`` says yes to; by default these are the ones on this machine,
    and all of ``/etc/resolv.conf`` where that has the option ``trust-ad``.  Without
    ``dnssec`` nobody is asked for it, and nothing is secure.  ``is_own_zone`` says of
    which zones such a server is believed without the bit, where it has them itself.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[Server] | None = None,
        *,
        timeout: float | None = None,
        attempts: int | None = None,
        is_trusted: Callable[[str], bool] | None = None,
        dnssec: bool = True,
        is_own_zone: Callable[[str], Awaitable[bool]] | None = None,
        configuration: str = "/etc/resolv.conf",
    ) -> None:
        found = read_resolv_conf(configuration)
        self._reactor = reactor
        self._servers = tuple(found.servers if servers is None else servers)
        self._timeout = found.timeout if timeout is None else timeout
        self._attempts = found.attempts if attempts is None else attempts
        if is_trusted is None and servers is None and found.trusts_ad:
            is_trusted = everybody
        self._is_trusted = (is_trusted or is_loopback) if dnssec else nobody
        self._dnssec = dnssec
        self._is_own_zone = is_own_zone
        self._first = 0
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asking: dict[tuple[str, str], list[Deferred[Answer]]] = {}
        self._system_slots = DeferredSemaphore(SYSTEM_LOOKUPS_AT_ONCE)

    async def query(self, name: str, kind: str) -> Answer:
        """Return the records of one kind that a name has."""
        kind = kind.upper()
        key = (canonical_name(name), kind)
        cached = self._cache.get(key)
        if cached is not None:
            if cached[0] > self._reactor.seconds():
                return cached[1]
            del self._cache[key]
        known = known_without_asking(*key)
        if known is not None:
            return known
        waiting = self._asking.get(key)
        if waiting is not None:
            shared: Deferred[Answer] = Deferred()
            waiting.append(shared)
            return await shared
        self._asking[key] = []
        answer = Answer(Outcome.AGAIN, text="the look-up was given up")
        try:
            answer = await self._ask(*key)
        finally:
            self._keep(key, answer)
            for shared in self._asking.pop(key):
                shared.callback(answer)
        return answer

    async def addresses(
        self, name: str, *, ipv4: bool = True, ipv6: bool = True
    ) -> Answer:
        """Return the IP addresses of a name as text, IPv6 first.

        AGAIN only if no family gave an address and one could not be asked.
        """
        literal = ip_address_of(name)
        if literal is not None:
            wanted = ipv6 if literal.version == 6 else ipv4
            outcome = Outcome.FOUND if wanted else Outcome.NO_DATA
            return Answer(outcome, (str(literal),) if wanted else ())
        kinds = [kind for kind, on in (("AAAA", ipv6), ("A", ipv4)) if on]
        asked = [Deferred.fromCoroutine(self.query(name, kind)) for kind in kinds]
        return joined([await answer for answer in asked])

    async def reverse(self, ip_address: str) -> Answer:
        """Return the names that PTR records give an IP address."""
        literal = ip_address_of(ip_address)
        if literal is None:
            return Answer(Outcome.NO_DOMAIN, text="not an IP address")
        if literal.is_loopback:
            return Answer(Outcome.FOUND, ("localhost",))
        reverse_name = dns.reversename.from_address(str(literal))
        return await self.query(reverse_name.to_text(omit_final_dot=True), "PTR")

    async def system_addresses(self, name: str) -> Answer:
        """Return what the operating system says (``/etc/hosts`` and so on)."""
        literal = ip_address_of(name)
        if literal is not None:
            return Answer(Outcome.FOUND, (str(literal),))
        asked: Deferred[Answer] = self._system_slots.run(
            deferToThreadPool,
            self._reactor,
            self._reactor.getThreadPool(),
            ask_system,
            name,
        )
        asked.addTimeout(
            SYSTEM_LOOKUP_LIMIT,
            self._reactor,
            lambda _result, _limit: Answer(Outcome.AGAIN, text="time limit reached"),
        )
        return await asked

    def forget(self) -> None:
        """Throw the cache away."""
        self._cache.clear()

    def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        if answer.outcome is Outcome.AGAIN or answer.ttl <= 0:
            return
        if len(self._cache) >= CACHE_LIMIT:
            # The oldest tenth goes: a dictionary keeps the order of insertion.
            for old in list(self._cache)[: CACHE_LIMIT // 10]:
                del self._cache[old]
        limit = POSITIVE_TTL_LIMIT if answer else NEGATIVE_TTL_LIMIT
        expires = self._reactor.seconds() + min(answer.ttl, limit)
        self._cache[key] = (expires, answer)

    async def _ask(self, name: str, kind: str) -> Answer:
        try:
            query = dns.message.make_query(
                name, kind, use_edns=0, payload=EDNS_PAYLOAD, want_dnssec=self._dnssec
            )
        except (dns.exception.DNSException, ValueError) as error:
            return Answer(Outcome.NO_DOMAIN, text=f"not a domain name: {error}")
        if self._dnssec:
            # RFC 6840, section 5.7: the answer is wanted with an AD bit of its own.
            query.flags |= dns.flags.AD
        problem = "there are no name servers"
        first = self._first
        order = (*self._servers[first:], *self._servers[:first])
        is_doubted = False
        for server in order * self._attempts:
            is_trusted = self._is_trusted(server[0])
            if is_doubted and not is_trusted:
                continue
            # A new id each time: an answer that comes late fits no question.
            query.id = dns.entropy.random_16()
            reply = await self._exchange(query, server)
            if isinstance(reply, str):
                problem = f"{server[0]}: {reply}"
                self._prefer_another(server)
                continue
            answer = await self._read(reply, kind, is_trusted)
            if answer.outcome is not Outcome.AGAIN:
                return answer
            # Who verifies answers so where the records are forged: who does not must
            # not be asked instead.
            is_doubted |= is_trusted and reply.rcode() == dns.rcode.SERVFAIL
            problem = f"{server[0]}: {answer.text}"
        return Answer(Outcome.AGAIN, text=problem)

    async def _read(
        self, reply: dns.message.Message, kind: str, is_trusted: bool
    ) -> Answer:
        answer = read_answer(reply, kind, trusted=is_trusted)
        if self._is_own_zone is None or answer.secure or not is_trusted:
            return answer
        zone = authority_of(reply)
        if answer.outcome is Outcome.AGAIN or not zone:
            return answer
        try:
            return replace(answer, secure=await self._is_own_zone(zone))
        except (TemporaryFailure, ExpansionError) as error:
            # It may be secure: what is published there must not be passed over.
            return Answer(Outcome.AGAIN, text=f"it is not known whom to trust: {error}")

    def _prefer_another(self, server: Server) -> None:
        """Begin with another server from now on, one that is trusted as much.

        Else one slow answer would end all DNSSEC, and nobody would notice.
        """
        first, count = self._first, len(self._servers)
        if self._servers[first] != server:
            return
        is_trusted = self._is_trusted(server[0])
        for place in (*range(first + 1, count), *range(first)):
            if self._is_trusted(self._servers[place][0]) == is_trusted:
                self._first = place
                return

    async def _exchange(
        self, query: dns.message.Message, server: Server
    ) -> dns.message.Message | str:
        """Return what one server answers, or why it gave no answer."""
        reply = await self._by_udp(query, server)
        if isinstance(reply, dns.message.Message):
            if reply.rcode() == dns.rcode.FORMERR and query.edns >= 0:
                query.use_edns(False)
                reply = await self._by_udp(query, server)
            if not isinstance(reply, str) and reply.flags & dns.flags.TC:
                reply = await self._by_tcp(query, server)
        return reply

    async def _by_udp(
        self, query: dns.message.Message, server: Server
    ) -> dns.message.Message | str:
        exchange = DatagramExchange(query, server)
        # Port 0: the system chooses another random port for every question.
        ours = "::" if ":" in server[0] else ""
        try:
            port = self._reactor.listenUDP(0, exchange, ours)
        except (OSError, CannotListenError) as error:
            return f"no socket: {error}"
        try:
            return await exchange.result(self._reactor, self._timeout)
        finally:
            port.stopListening()

    async def _by_tcp(
        self, query: dns.message.Message, server: Server
    ) -> dns.message.Message | str:
        exchange = StreamExchange(query)
        factory = StreamFactory(exchange)
        connector = self._reactor.connectTCP(*server, factory, timeout=self._timeout)
        try:
            return await exchange.result(self._reactor, self._timeout)
        finally:
            connector.disconnect()
