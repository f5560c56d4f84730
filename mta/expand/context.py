"""What an expansion can see: connection, message, address, and the site."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mta.connection import Connection, TLSFacts
from mta.errors import ExpansionError
from mta.host import Host
from mta.interfaces import (
    IHintStore,
    ILogs,
    ILookups,
    IResolver,
    ITemplate,
    ITLSResults,
)
from mta.message import Message
from mta.recipient import RoutedAddress


@dataclass(slots=True, kw_only=True)
class Site:
    """What all expansions of one configuration share.

    ``named_lists`` are templates by kind (``domain``, ``host``, ``address``,
    ``local_part``) and name.  ``variables`` are further constant ones, by name
    (``config_file``, ``exim_path`` ...).  ``run_acl`` serves ``${acl{...}}``:
    it takes a context, the ACL's name and arguments, and gives ``(accepted,
    text)``.  No local delivery runs as one of the ``never_users`` (uids); it runs
    as ``delivery_user`` (uid and gid) where neither router nor transport says more.
    ``environment`` is what expansions and the commands they run see of the process's.
    ``hints`` are where ACLs remember clients, ``tls_results`` where it is counted what
    hosts proved of their TLS; None where nothing is kept.
    """

    primary_hostname: str = "localhost"
    qualify_domain: str = "localhost"
    qualify_recipient: str = "localhost"
    spool_directory: str = ""
    active_hostname: str = ""
    version: str = ""
    local_addresses: frozenset[str] = frozenset({"127.0.0.1", "::1"})
    named_lists: dict[str, dict[str, ITemplate]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    lookups: ILookups | None = None
    resolver: IResolver | None = None
    logs: ILogs | None = None
    hints: IHintStore | None = None
    tls_results: ITLSResults | None = None
    language: Any = None
    run_acl: Callable[[Context, str, list[str]], Awaitable[tuple[bool, str]]] | None = (
        None
    )
    run_command: Callable[[list[str]], Awaitable[tuple[int, str]]] | None = None
    clock: Callable[[], float] = time.time
    strict_acl_variables: bool = False
    counters: dict[str, int] = field(default_factory=dict)
    never_users: frozenset[int] = frozenset({0})
    delivery_user: tuple[int, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """What one expansion can see.

    ``values`` holds what constructs set while they are evaluated: ``value``,
    ``item``, ``acl_arg1``, ``runrc``, ``host_data`` ...; ``captures`` what the last
    match caught (``$0``, ``$1`` ...).  ``address`` is the recipient in hand (in a
    RCPT ACL, a router, a transport).  ``host`` is the remote host of a transport.
    ``acl_run`` is the evaluation of an ACL that this expansion is part of, if any.
    ``lookup_dnssec`` tells whether what was last looked up was authenticated: ``yes``,
    ``no``, or nothing where that was not asked for.
    """

    site: Site
    connection: Connection = field(default_factory=Connection)
    message: Message | None = None
    address: RoutedAddress | None = None
    host: Host | None = None
    tls_out: TLSFacts | None = None
    values: dict[str, str] = field(default_factory=dict)
    captures: tuple[str, ...] = ()
    addresses: list[RoutedAddress] = field(default_factory=list)
    transport_name: str = ""
    return_path: str | None = None
    first_delivery: bool = False
    queue_running: bool = False
    expansion_depth: int = 0
    acl_run: Any = None
    lookup_dnssec: str = ""

    async def named_list(self, kind: str, name: str) -> str:
        """Return the expanded text of a named list (Exim chapter 10).

        Raises ExpansionError where there is no such list.
        """
        template = self.site.named_lists.get(kind, {}).get(name)
        if template is None:
            raise ExpansionError(
                f'unknown named {kind.replace("_", " ")} list "+{name}"'
            )
        if template.constant is not None:
            return template.constant
        return await template.expand(self)
