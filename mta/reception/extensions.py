"""Which extensions a client is offered (RFC 5321, section 2.2)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from mta.errors import TemporaryFailure
from mta.expand.context import Context
from mta.reception.options import SMTPOptions
from mta.smtp.command import NO_EXTENSIONS, Extensions
from mta.smtp.reply import Reply

_REMEMBERED = 64


class Hosts(Protocol):
    """A host list of the configuration."""

    @property
    def text(self) -> str: ...

    async def match_client(self, context: Context) -> object | None: ...


async def matches(hosts: Hosts | None, context: Context) -> bool:
    """Return whether the client is in a host list; an unset one has no hosts.

    Raises TemporaryFailure where that cannot be found out.
    """
    if hosts is None:
        return False
    if hosts.text == "*":
        return True
    return await hosts.match_client(context) is not None


async def matches_or_defers(hosts: Hosts | None, context: Context) -> bool:
    """The same, where only a definite no is one."""
    try:
        return await matches(hosts, context)
    except TemporaryFailure:
        return True


async def definitely_matches(hosts: Hosts | None, context: Context) -> bool:
    """The same, where only a definite yes is one."""
    try:
        return await matches(hosts, context)
    except TemporaryFailure:
        return False


class Numbers(NamedTuple):
    """The limits of one connection; 0 for none."""

    message_size: int = 0
    mails: int = 0
    recipients: int = 0


class _Offer(NamedTuple):
    numbers: Numbers
    limits: bool
    dsn: bool
    pipelining: bool
    mechanisms: tuple[str, ...]
    chunking: bool
    starttls: bool
    smtputf8: bool
    requiretls: bool


class ExtensionOffer:
    """What EHLO is answered with; equal offers share their lines.

    ``queries`` are those of ETRN, VRFY and EXPN that an ACL allows.
    """

    def __init__(self, options: SMTPOptions, queries: frozenset[str]) -> None:
        self._options = options
        self._queries = queries
        self._made: dict[_Offer, Extensions] = {}
        self._is_constant = all(
            hosts is None or hosts.text == "*"
            for hosts in (
                options.limits_advertise_hosts,
                options.dsn_advertise_hosts,
                options.pipelining_advertise_hosts,
                options.chunking_advertise_hosts,
                options.smtputf8_advertise_hosts,
                options.requiretls_advertise_hosts,
            )
        )
        self._known: dict[tuple[object, ...], Extensions] = {}

    async def for_client(
        self,
        context: Context,
        numbers: Numbers,
        *,
        starttls: bool,
        mechanisms: tuple[str, ...],
        may_pipeline: bool = True,
    ) -> Extensions:
        """Return what the client of the context is offered."""
        if not self._is_constant:
            return await self._chosen(
                context, numbers, starttls, mechanisms, may_pipeline
            )
        is_secure = context.connection.tls is not None
        key = (numbers, starttls, mechanisms, may_pipeline, is_secure)
        extensions = self._known.get(key)
        if extensions is None:
            extensions = await self._chosen(
                context, numbers, starttls, mechanisms, may_pipeline
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = extensions
        return extensions

    async def _chosen(
        self,
        context: Context,
        numbers: Numbers,
        starttls: bool,
        mechanisms: tuple[str, ...],
        may_pipeline: bool,
    ) -> Extensions:
        """Return what host lists allow the client."""
        options = self._options
        offer = _Offer(
            numbers,
            await definitely_matches(options.limits_advertise_hosts, context),
            await matches_or_defers(options.dsn_advertise_hosts, context),
            may_pipeline
            and await definitely_matches(options.pipelining_advertise_hosts, context),
            mechanisms,
            await matches_or_defers(options.chunking_advertise_hosts, context),
            starttls,
            options.accept_8bitmime
            and await matches_or_defers(options.smtputf8_advertise_hosts, context),
            # RFC 8689, section 2: what came in clear cannot be promised secrecy.
            context.connection.tls is not None
            and await matches_or_defers(options.requiretls_advertise_hosts, context),
        )
        extensions = self._made.get(offer)
        if extensions is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            extensions = self._made[offer] = self._make(offer)
        return extensions

    def _make(self, offer: _Offer) -> Extensions:
        """Put the keywords in Exim's order."""
        size, mails, recipients = offer.numbers
        limits = [f"MAILMAX={mails}"] * bool(mails)
        limits += [f"RCPTMAX={recipients}"] * bool(recipients)
        queries = [q for q in ("ETRN", "VRFY", "EXPN") if q in self._queries]
        keywords = (
            f"SIZE {size}" if size else "SIZE",
            " ".join(["LIMITS", *limits]) if offer.limits and limits else "",
            "8BITMIME" if self._options.accept_8bitmime else "",
            "DSN" if offer.dsn else "",
            *queries,
            "PIPELINING" if offer.pipelining else "",
            " ".join(["AUTH", *offer.mechanisms]) if offer.mechanisms else "",
            "CHUNKING" if offer.chunking else "",
            "STARTTLS" if offer.starttls else "",
            "SMTPUTF8" if offer.smtputf8 else "",
            "REQUIRETLS" if offer.requiretls else "",
            "ENHANCEDSTATUSCODES" if self._options.smtp_enhanced_status_codes else "",
            "HELP",
        )
        offered = tuple(keyword for keyword in keywords if keyword)
        return NO_EXTENSIONS._replace(
            keywords=offered,
            lines=Reply(250, offered).encode(),
            pipelining=offer.pipelining,
            chunking=offer.chunking,
            starttls=offer.starttls,
            smtputf8=offer.smtputf8,
            eight_bit=self._options.accept_8bitmime,
            dsn=offer.dsn,
            mechanisms=offer.mechanisms,
            requiretls=offer.requiretls,
        )
