"""Every interface: what it is for, when it is called and what it may not do.

Kinds of extension are zope interfaces, since ``twisted.plugin`` finds them by
these.  What one layer hands to a lower one is a ``Protocol``.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import Attribute, Interface

from mta.callout import Callout, CalloutAnswer
from mta.host import Answer

if TYPE_CHECKING:
    from mta.options import Source


class IRouter(Interface):
    """A driver class that says where an address goes (``mta.routers.base``)."""

    extension_name = Attribute("the driver's name")


class ITransport(Interface):
    """A driver class that delivers (``mta.transports.base``)."""

    extension_name = Attribute("the driver's name")


class IAuthenticator(Interface):
    """A driver class for one SASL mechanism (``mta.authenticators.base``)."""

    extension_name = Attribute("the driver's name")


class ILookup(Interface):
    """A class of look-ups (``mta.lookups.base``)."""

    extension_name = Attribute("the look-up type's name")


class IOperator(Interface):
    """A function ``(subject: str) -> str`` for ``${name:subject}``."""

    extension_name = Attribute("the operator's name")


class IItem(Interface):
    """An expansion item, ``${name{...}{...}}`` (``mta.expand.registry``)."""

    extension_name = Attribute("the item's name")


class IExpansionCondition(Interface):
    """A condition of ``${if`` (``mta.expand.registry``)."""

    extension_name = Attribute("the condition's name")


class IVariable(Interface):
    """A function ``(context) -> str | None`` for ``$name``."""

    extension_name = Attribute("the variable's name, without the dollar sign")


class ICondition(Interface):
    """An ACL condition (``mta.acl.conditions``)."""

    extension_name = Attribute("the condition's name")


class IModifier(Interface):
    """An ACL modifier (``mta.acl.modifiers``)."""

    extension_name = Attribute("the modifier's name")


class IControl(Interface):
    """An ACL control (``mta.acl.controls``)."""

    extension_name = Attribute("the control's name")


class ITemplate(Protocol):
    """A string of the configuration, parsed, that is expanded when used.

    ``text`` is what was written.  ``constant`` is the result where it depends on
    nothing (no ``$`` in it), else None.
    """

    @property
    def text(self) -> str: ...

    @property
    def constant(self) -> str | None: ...

    async def expand(self, context: Any) -> str:
        """Return the text for a ``mta.expand.context.Context``.

        Raises ForcedFailure, another ExpansionError, or TemporaryFailure where a
        look-up should be tried again.
        """


class ILanguage(Protocol):
    """The expansion language: what makes templates from strings."""

    def template(self, text: str, source: Source) -> ITemplate:
        """Return the parsed string; raise ConfigurationError naming the place."""


class IResolver(Protocol):
    """Asks the DNS.  Never raises for an outcome of the DNS: see ``Answer``."""

    async def query(self, name: str, kind: str) -> Answer:
        """Return the records of one kind (``"MX"``) that a name has."""

    async def addresses(
        self, name: str, *, ipv4: bool = True, ipv6: bool = True
    ) -> Answer:
        """Return the IP addresses of a name as text, IPv6 first.

        AGAIN only if no family gave an address and one could not be asked.
        """

    async def reverse(self, ip_address: str) -> Answer:
        """Return the names that PTR records give an IP address."""

    async def system_addresses(self, name: str) -> Answer:
        """Return what the operating system (``/etc/hosts`` and so on) says."""


class ILogs(Protocol):
    """The main, reject and panic log (Exim chapter 52)."""

    def main(self, text: str, message_id: str = "") -> None:
        """Write a line to the main log."""

    def reject(self, text: str, message_id: str = "", detail: str = "") -> None:
        """Write a line to main and reject log; ``detail`` only to the latter."""

    def reject_only(self, text: str, message_id: str = "") -> None:
        """Write a line to the reject log alone."""

    def panic(self, text: str, message_id: str = "") -> None:
        """Write a line to main and panic log: a person must look at this."""

    def selects(self, selector: str) -> bool:
        """Return whether ``log_selector`` switches something on."""


class IAddressVerifier(Protocol):
    """Verifies an address by routing it, and by callout where asked.

    The flow that delivers provides it; ACLs and the command line call it.
    """

    async def verify_recipient(
        self,
        address: Any,
        context: Any,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> Verification:
        """Say whether mail for an ``Address`` can be delivered.

        With a ``callout`` the hosts that take it are asked.  A redirection to one
        other address goes on with that, or is a success where none is followed.
        """

    async def verify_sender(
        self,
        address: Any,
        context: Any,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> Verification:
        """Say whether a report to an ``Address`` could be delivered."""


class Verification(Protocol):
    """The result of a verification.

    ``outcome`` is ``"ok"``, ``"fail"`` or ``"defer"``; ``text`` is for the peer
    where ``user_text`` is set (``:fail:`` texts), else for the log; ``failure`` is
    the word of ``$recipient_verify_failure``; ``data`` the ``address_data``.
    ``answer`` is what a host said where a callout came so far; with ``"defer"`` it
    is the last host's, and without a reply where that gave none.
    """

    outcome: str
    text: str
    user_text: bool
    failure: str
    data: str
    answer: CalloutAnswer | None


class IHintStore(Protocol):
    """What is remembered of clients and their rates until it expires.

    ``mta.hints`` provides it; conditions of ACLs ask.  Nothing in it is owed to
    anybody, and no call waits for a disk to be written.
    """

    def find(self, kind: str, key: str) -> Any:
        """Return a value; None where there is none or it has expired.

        Raises SpoolError where that cannot be told.
        """

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        """Keep a value (anything JSON has) until a time."""

    def items(self, kind: str) -> list[tuple[str, Any]]:
        """Return every key of a kind that has not expired, with its value."""


class ITLSResults(Protocol):
    """The history of what hosts proved of their TLS (``mta.delivery.tls_results``).

    Transports tell it; it never waits and never fails.
    """

    def record(
        self, domain: str, verdict: Any, *, sessions: int = 0, deliveries: int = 0
    ) -> None:
        """Count connections and deliveries under a ``mta.tls.verdict.TLSVerdict``."""


class IRetryHints(Protocol):
    """What is remembered of hosts and addresses that failed (Exim chapter 32).

    Keys are Exim's: ``T:host:ip[:port]``, ``T:host:ip[:port]:message-id``,
    ``R:domain``, ``T:address[:sender]``.
    """

    def is_due(self, key: str) -> bool:
        """Return whether the next try of a key may be made now."""

    def has_expired(self, key: str) -> bool:
        """Return whether a key failed for longer than its rule allows."""

    def failed(
        self,
        key: str,
        *,
        domain: str,
        host: str,
        error_name: str,
        sender: str,
        text: str,
    ) -> None:
        """Record a failure; the retry rule for host or domain sets the next try."""

    def succeeded(self, key: str) -> None:
        """Forget a key."""


class ILookups(Protocol):
    """The look-up types of one configuration, with their caches and open files."""

    def is_query(self, type_text: str) -> bool:
        """Return whether a type takes a query, rather than a file and a key.

        Raises ExpansionError for an unknown type.
        """

    def quote(self, name: str, text: str) -> str:
        """Return a text as it may stand inside a query of a type (``quote_NAME``)."""

    async def find(
        self, type_text: str, source: str, key: str, context: Any = None
    ) -> Any:
        """Return the look-up's result (``str``), or None where nothing was found.

        ``type_text`` is as written, options and partial prefix included
        (``partial-lsearch*``); ``source`` is the file of a single-key look-up and
        empty for a query.  ``context`` is the expansion's that asks, for data that
        is expanded.  Raises TemporaryFailure for a defer, ExpansionError for
        an unknown type or a tainted file name.
        """


class IBodyWriter(Protocol):
    """Keeps the body of a message while it arrives."""

    def write(self, octets: bytes) -> None:
        """Add octets."""

    @property
    def is_behind(self) -> bool:
        """True while more waits to be written than should be held in memory."""

    def when_ready(self) -> Awaitable[None]:
        """Wait until it is no longer behind.  Raises SpoolError."""

    def finish(self) -> Awaitable[Any]:
        """End the body; gives an ``IBody``.  Raises SpoolError."""

    def abandon(self) -> None:
        """Throw away what was written."""
