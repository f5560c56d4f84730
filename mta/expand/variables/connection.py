"""Variables that describe the client and the session."""

from __future__ import annotations

from mta.connection import Connection
from mta.taint import carry


def sender_fullhost(connection: Connection, *, with_port: bool = False) -> str:
    """Return the client as logs name it: ``name (helo) [ip]:port``.

    The verified name is left out where there is none, the name in HELO where it
    says nothing more.  Empty for a local caller (Exim's ``$sender_fullhost``).
    """
    address = connection.peer_address
    if not address:
        return ""
    place = f"[{address}]"
    if with_port:
        place = f"{place}:{connection.peer_port}"
    name, helo = connection.host_name, connection.helo_name
    if helo and _helo_says_more(connection):
        text = f"{name} ({helo}) {place}" if name else f"({helo}) {place}"
        return carry(text, helo, name or "")
    return carry(f"{name} {place}", name) if name else place


def sender_rcvhost(connection: Connection, *, with_port: bool = False) -> str:
    """Return the client as a Received: field names it.

    ``name ([ip] helo=x ident=y)``, or without a verified name ``[ip] (helo=x)``.
    """
    address = connection.peer_address
    if not address:
        return ""
    name, helo, ident = connection.host_name, connection.helo_name, connection.ident
    facts = []
    if with_port and not name:
        facts.append(f"port={connection.peer_port}")
    if helo and _helo_says_more(connection):
        facts.append(f"helo={helo}")
    if ident:
        facts.append(f"ident={ident}")
    if name:
        place = f"[{address}]:{connection.peer_port}" if with_port else f"[{address}]"
        text = f"{name} ({' '.join([place, *facts])})"
    else:
        text = f"[{address}] ({' '.join(facts)})" if facts else f"[{address}]"
    return carry(text, name or "", helo, ident)


def _helo_says_more(connection: Connection) -> bool:
    helo = connection.helo_name.lower()
    if helo == (connection.host_name or "").lower():
        return False
    literal = helo[1:-1] if helo.startswith("[") and helo.endswith("]") else ""
    return literal.removeprefix("ipv6:") != connection.peer_address.lower()
