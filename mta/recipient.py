"""An address on its way from the envelope through routers to a transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mta.address import Address
from mta.host import Host
from mta.message import Recipient


@dataclass(slots=True)
class RoutedAddress:
    """One address that is being routed, and what the routers said of it.

    ``recipient`` is the envelope recipient it descends from, ``parent`` the address
    whose redirection made it.  ``local_part`` is without prefix and suffix and, unless
    a router is ``caseful_local_part``, in lower case; ``domain`` in lower case.
    ``local_part_data`` and ``domain_data`` are untainted, as are ``home``,
    ``user`` and ``group``.  ``prefix_variable`` and ``suffix_variable`` are what an
    asterisk stood for.  ``variables`` are by their whole name, ``r_...``.
    ``self_hostname`` is the host that a router found to be this one and passed on.
    ``pipe_command`` and ``file_name`` are set on children
    that a redirection directed to a command or a file.  ``unseen`` marks the copy
    that a router with ``unseen`` keeps while the address goes on.
    """

    address: Address
    recipient: Recipient
    parent: RoutedAddress | None = None
    local_part: str = ""
    domain: str = ""
    prefix: str = ""
    suffix: str = ""
    prefix_variable: str = ""
    suffix_variable: str = ""
    local_part_data: str | None = None
    domain_data: str | None = None
    address_data: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    router: str = ""
    transport: str = ""
    hosts: list[Host] = field(default_factory=list)
    fallback_hosts: str = ""
    errors_to: str | None = None
    headers_add: list[str] = field(default_factory=list)
    headers_remove: list[str] = field(default_factory=list)
    home: str | None = None
    current_directory: str | None = None
    user: str | int | None = None
    group: str | int | None = None
    pipe_command: str | None = None
    file_name: str | None = None
    reply_text: str | None = None
    skip_routers: frozenset[str] = frozenset()
    hide_in_reports: bool = False
    self_hostname: str = ""
    unseen: bool = False

    @property
    def key(self) -> str:
        """What tells this delivery from others of the same message.

        Equal keys are delivered once.  For commands, files and replies the parent
        is part of the identity, for an unseen copy its router.
        """
        target = self.pipe_command or self.file_name or self.reply_text
        if target is not None:
            parent = self.parent.address.key if self.parent else ""
            return f"{target} <{parent}>"
        if self.unseen:
            return f"{self.address.key} {self.router}"
        return self.address.key

    @property
    def ancestors(self) -> list[RoutedAddress]:
        """The parent, its parent and so on, nearest first."""
        found = []
        parent = self.parent
        while parent is not None:
            found.append(parent)
            parent = parent.parent
        return found


class Result(Enum):
    """What became of an address in a transport."""

    DELIVERED = "=>"
    DEFERRED = "=="
    FAILED = "**"


@dataclass(slots=True)
class Outcome:
    """What a transport did with one address.

    ``text`` is for log and report (for a remote failure it holds the peer's
    reply), ``status`` an enhanced status code, ``error`` the number that Exim logs
    in ``defer (N)`` (``-44`` RCPT 4xx, ``-37`` TLS ..., or an errno), ``error_name``
    the word retry rules know (``rcpt_4xx``, ``timeout_connect`` ...), ``reply`` the
    peer's reply where there is one.  ``retry_key`` says which hint to keep for a
    deferred address: empty for the address's own, else a host or message key that
    the transport has already recorded.  ``log_fields`` are ready ``X=`` ``C=`` parts
    for the ``=>`` line in Exim's order.  ``freeze`` asks that the message be frozen.
    ``report_text`` is what reports say where ``text`` is for the log alone, as it may
    name files and commands.
    """

    address: RoutedAddress
    result: Result
    text: str = ""
    status: str = ""
    error: int = 0
    error_name: str = ""
    host: Host | None = None
    reply: str = ""
    log_fields: list[str] = field(default_factory=list)
    reused_connection: bool = False
    local: bool = False
    retry_key: str | None = None
    freeze: bool = False
    output: bytes = b""
    took: float = 0.0
    dsn_passed: bool = False
    report_text: str = ""
