"""Where a message comes from: its caller, or what ``-oM`` says of another origin."""

from __future__ import annotations

import ipaddress
import re
import time

from mta.commands.arguments import Arguments, UsageError
from mta.commands.caller import Caller
from mta.connection import Connection
from mta.taint import Tainted

_BRACKETED = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?\Z")
_DOTTED = re.compile(r"(.+)\.(\d{1,5})\Z")


def local_connection(arguments: Arguments, caller: Caller) -> Connection:
    """Return what is known of a local caller; a trusted one may say otherwise.

    Raises UsageError where an address is none.
    """
    connection = Connection(
        ident=caller.login,
        local_protocol="local",
        caller_uid=caller.uid,
        caller_gid=caller.gid,
        caller_login=caller.login,
        started_at=time.time(),
    )
    if caller.is_trusted:
        fake_origin(connection, arguments.origin)
    return connection


def fake_origin(connection: Connection, origin: dict[str, str]) -> None:
    """Set what ``-oM`` options say, each by its letter; raise UsageError."""
    told = {letter: Tainted(text) for letter, text in origin.items()}
    if "a" in origin:
        place = _address_and_port("a", origin["a"])
        connection.peer_address, connection.peer_port = place
    if "i" in origin:
        place = _address_and_port("i", origin["i"])
        connection.local_address, connection.local_port = place
    connection.authenticator = told.get("aa", "")
    connection.authenticated_id = told.get("ai", "")
    connection.authenticated_sender = told.get("as", "")
    connection.local_protocol = told.get("r", connection.local_protocol)
    connection.host_name = told.get("s", connection.host_name)
    connection.ident = told.get("t", connection.ident)


def _address_and_port(letter: str, text: str) -> tuple[str, int]:
    """Read ``address``, ``address.port`` or ``[address]:port``."""
    address, port = text, "0"
    if _plain(text) is None:
        match = _BRACKETED.match(text) or _DOTTED.match(text)
        if match is not None:
            address, port = match[1], match[2] or "0"
    plain = _plain(address)
    if plain is None or int(port) > 65535:
        raise UsageError(f"malformed IP address {text} after -oM{letter}")
    return plain, int(port)


def _plain(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
