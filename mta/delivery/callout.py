"""Ask the hosts of an address whether they take mail for it (Exim chapter 43)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mta.address import Address
from mta.callout import Callout, CalloutAnswer, CalloutSender
from mta.delivery.callout_cache import ANY_SENDER, NULL_SENDER, CalloutCache
from mta.delivery.callout_dialogue import (
    Answer,
    Fact,
    Question,
    SessionSpoiled,
    converse,
)
from mta.delivery.callout_options import CalloutOptions
from mta.errors import ExpansionError, ProtocolError, TemporaryFailure
from mta.expand.context import Context
from mta.host import Host
from mta.recipient import RoutedAddress
from mta.smtp.client_failure import SessionFailure, TimeLimits
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_callout import Probing
from mta.transports.smtp_choices import ascii_name
from mta.transports.smtp_hosts import is_local
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import session_problem

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

# A limit of none would let a host keep a client waiting for ever.
LEAST_LIMIT = 0.1
REMEMBERED = "Previous (cached) callout verification failure"


@dataclass(frozen=True, slots=True)
class CalloutResult:
    """What came of a callout; the words are those of ``mta.interfaces.Verification``."""

    outcome: str
    failure: str = ""
    text: str = ""
    answer: CalloutAnswer | None = None


class Callouts:
    """Asks hosts, or remembers what they said.

    ``transports`` are by name.  ``clock`` is the reactor's; ``own_ports`` are those
    that this program listens on: it does not ask itself.
    """

    def __init__(
        self,
        *,
        transports: Mapping[str, Any],
        options: CalloutOptions,
        reactor: Any,
        own_ports: frozenset[int] = frozenset(),
    ) -> None:
        self._transports = transports
        self._options = options
        self._reactor = reactor
        self._own_ports = own_ports
        self._asking: dict[Hashable, list[Deferred[CalloutResult | None]]] = {}
        self._plain: SMTPTransport | None = None

    async def ask(
        self, address: RoutedAddress, context: Context, callout: Callout
    ) -> CalloutResult | None:
        """Return what the hosts of a routed address say of it.

        None where there is nobody to ask: it is delivered here, or by something
        other than SMTP.
        """
        transport = self._transport(address, context)
        if transport is None:
            return None
        try:
            inquiry = await self._inquiry(transport, address, context, callout)
        except (TemporaryFailure, ExpansionError) as error:
            return _untold(str(error))
        known = inquiry.remembered()
        if known is not None:
            return known
        return await self._shared(inquiry.key, inquiry.tour)

    def _transport(
        self, address: RoutedAddress, context: Context
    ) -> SMTPTransport | None:
        if address.transport:
            transport = self._transports.get(address.transport)
            return transport if isinstance(transport, SMTPTransport) else None
        if not address.hosts:
            return None
        if self._plain is None:
            # A router that only verifies need not have a transport.
            self._plain = SMTPTransport.with_texts(
                {"helo_data": "$smtp_active_hostname"},
                language=context.site.language,
                name="callout",
            )
            self._plain.attach(reactor=self._reactor, thread_pool=None)
        return self._plain

    async def _inquiry(
        self,
        transport: SMTPTransport,
        address: RoutedAddress,
        context: Context,
        callout: Callout,
    ) -> _Inquiry:
        site = context.site
        probing = transport.probing(context)
        recipient = probing.recipient_text(address)
        return _Inquiry(
            probing=probing,
            address=address,
            context=context,
            callout=callout,
            question=await self._question(recipient, context, callout),
            cache=CalloutCache(
                site.hints if callout.uses_cache else None, self._options, site.clock
            ),
            seconds=self._reactor.seconds,
            own_ports=self._own_ports,
        )

    async def _question(
        self, recipient: str, context: Context, callout: Callout
    ) -> Question:
        local_part, _, domain = recipient.rpartition("@")
        if local_part.isascii():
            domain = ascii_name(domain)
        recipient, sender, random = (
            f"{local_part}@{domain}",
            _sender(callout, context),
            "",
        )
        if callout.random:
            template = self._options.callout_random_local_part
            name = await template.expand(context)
            random = f"{name}@{domain}" if name else ""
        postmasters: tuple[str, ...] = ()
        if callout.postmaster or callout.full_postmaster:
            postmasters = (f"postmaster@{domain}",)
        if callout.full_postmaster:
            postmasters += ("postmaster",)
        return Question(
            recipient,
            sender,
            random,
            postmasters,
            callout.postmaster_sender.text,
            not f"{recipient}{sender}{random}".isascii(),
        )

    async def _shared(
        self, key: Hashable, ask: Callable[[], Awaitable[CalloutResult]]
    ) -> CalloutResult:
        """Return what ``ask`` does; who asks the same meanwhile gets the same."""
        from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

        while (waiting := self._asking.get(key)) is not None:
            waiter: Deferred[CalloutResult | None] = Deferred()
            waiting.append(waiter)
            told = await waiter
            if told is not None:
                return told
            # Who asked was cut off.
        waiting = self._asking[key] = []
        found: CalloutResult | None = None
        try:
            found = await ask()
            return found
        finally:
            del self._asking[key]
            for waiter in waiting:
                waiter.callback(found)


@dataclass(slots=True, kw_only=True)
class _Inquiry:
    """One callout on its way over the hosts."""

    probing: Probing
    address: RoutedAddress
    context: Context
    callout: Callout
    question: Question
    cache: CalloutCache
    seconds: Callable[[], float]
    own_ports: frozenset[int]

    @property
    def key(self) -> Hashable:
        """What is equal for callouts that can have but one result."""
        hosts = tuple(self.address.hosts)
        message = self.context.message
        wish = None
        if message is not None:
            wish = (message.requiretls, message.tls_optional)
        name = self.probing.transport.name
        return (name, hosts, self.question, self.callout, wish)

    @property
    def _domain(self) -> str:
        return str(self.address.address.domain.lower())

    @property
    def _address_key(self) -> str:
        key = self.address.address.key
        return f"{key}/<{self.question.sender}>" if self.question.sender else key

    def remembered(self) -> CalloutResult | None:
        """Return what is known without a connection."""
        cache, domain = self.cache, self._domain
        told = CalloutAnswer(is_remembered=True)
        if cache.refuses_callouts(domain, null_sender=not self.question.sender):
            return CalloutResult("fail", "mail", REMEMBERED, told)
        if self.callout.random:
            accepts = cache.accepts_random(domain)
            if accepts:
                return CalloutResult("ok", "random", answer=told)
            if accepts is False:
                self.question = replace(self.question, random_recipient="")
        if self.question.postmasters:
            accepts = cache.accepts_postmaster(domain)
            if accepts is False:
                return CalloutResult("fail", "postmaster", REMEMBERED, told)
            if accepts:
                self.question = replace(self.question, postmasters=())
        accepts = cache.accepts_address(self._address_key)
        if accepts is False:
            return CalloutResult("fail", "recipient", REMEMBERED, told)
        if accepts and not self.question.postmasters:
            return CalloutResult("ok", answer=told)
        return None

    async def tour(self) -> CalloutResult:
        """Ask one host after the other until one knows."""
        limit = self.callout.total_limit
        if limit is None:
            limit = 4 * self._response_limit
        end = self.seconds() + limit
        try:
            found = await self.probing.hosts(self.address, self.context)
        except (TemporaryFailure, ExpansionError) as error:
            return _untold(str(error))
        if found.refusal is not None:
            return _untold(found.refusal.text)
        text = found.problems[-1].text if found.problems else "no host could be tried"
        result = _untold(text)
        most = self.probing.transport.hosts_max_try_hardlimit
        for number, host in enumerate(found.hosts[:most]):
            if number and self.seconds() >= end:
                break
            result = await self._ask_host(host)
            if result.outcome != "defer":
                break
        return result

    async def _ask_host(self, host: Host) -> CalloutResult:
        answer = CalloutAnswer(host.ip_address, host.port or 0)
        try:
            settings = await self.probing.demanded(host, self.context)
            answer = replace(answer, port=settings.port)
            if self._is_ours(settings):
                text = f"{host} is this host, which is not asked"
                return CalloutResult("defer", text=text, answer=answer)
            said = await self._converse(settings)
        except HostProblem as failure:
            said = self._unopened(failure)
        except SessionFailure as failure:
            said = Answer("defer", text=session_problem(failure, host).text)
        except (TemporaryFailure, ExpansionError, ProtocolError) as error:
            # Such as a line end in an address.
            said = Answer("defer", text=str(error))
        answer = replace(answer, command=said.command, reply=said.reply)
        text = "" if said.outcome == "ok" else _told(said, host)
        return CalloutResult(said.outcome, said.failure, text, answer)

    async def _converse(self, settings: HostSettings) -> Answer:
        try:
            return await self._converse_once(settings, self.question)
        except SessionSpoiled:
            # The host wants nothing more of who asks for unknown local parts.
            again = replace(self.question, random_recipient="")
            return await self._converse_once(settings, again)

    async def _converse_once(
        self, settings: HostSettings, question: Question
    ) -> Answer:
        link = await self.probing.open(settings, self._limits())
        try:
            answer = await converse(link.client, question, self._note)
        except BaseException:
            link.client.abort()
            raise
        link.client.quit()
        return answer

    def _unopened(self, failure: HostProblem) -> Answer:
        """Return what it means that no session came about."""
        cause = failure.__cause__
        reply = cause.reply if isinstance(cause, SessionFailure) else None
        if not isinstance(cause, SessionFailure) or reply is None:
            return Answer("defer", text=failure.problem.text)
        command = "" if cause.verb == "GREETING" else cause.command
        if reply.is_permanent and cause.verb in ("GREETING", "EHLO", "HELO", "LHLO"):
            self.cache.keep_refusal(self._domain, ANY_SENDER)
            return Answer("fail", "mail", command, str(reply))
        return Answer("defer", "", command, str(reply))

    def _note(self, fact: Fact, holds: bool) -> None:
        if fact is Fact.NULL_SENDER:
            self.cache.keep_refusal(self._domain, NULL_SENDER)
        elif fact is Fact.RANDOM:
            self.cache.keep_random(self._domain, holds)
        elif fact is Fact.POSTMASTER:
            self.cache.keep_postmaster(self._domain, holds)
        else:
            self.cache.keep_address(self._address_key, holds)

    def _is_ours(self, settings: HostSettings) -> bool:
        ports = self.own_ports | {self.context.connection.local_port}
        address = settings.host.ip_address
        return settings.port in ports and is_local(address, self.context)

    @property
    def _response_limit(self) -> float:
        return max(self.callout.response_limit, LEAST_LIMIT)

    def _limits(self) -> TimeLimits:
        limit, connect = self._response_limit, self.callout.connect_limit
        if connect is None:
            connect = limit
        return TimeLimits(max(connect, LEAST_LIMIT), limit, limit, limit)


def _sender(callout: Callout, context: Context) -> str:
    sender = Address("", "")
    if callout.sender is CalloutSender.GIVEN:
        sender = callout.given_sender
    elif callout.sender is CalloutSender.POSTMASTER:
        sender = Address("postmaster", context.site.qualify_domain)
    elif callout.sender is CalloutSender.MESSAGE and context.message is not None:
        sender = context.message.sender
    return sender.text


def _untold(text: str) -> CalloutResult:
    """Return the result where no host was asked, for a reason."""
    return CalloutResult("defer", text=text, answer=CalloutAnswer())


def _told(said: Answer, host: Host) -> str:
    """Return the words for the log."""
    if not said.reply:
        return f"{host}: {said.text}"
    what = f'response to "{said.command}"' if said.command else "initial response"
    return f"{what} from {host} was: {said.reply}"
