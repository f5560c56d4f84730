"""Variables that describe the client and the session."""

from __future__ import annotations

import os

from mta.connection import Connection
from mta.expand.context import Context
from mta.expand.registry import variable
from mta.lists.host_names import look_up_host_name
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


@variable("sender_host_address")
def sender_host_address(context: Context) -> str:
    """The client's IP address."""
    return context.connection.peer_address


@variable("sender_host_port")
def sender_host_port(context: Context) -> str:
    """The client's port."""
    port = context.connection.peer_port
    return str(port) if port else ""


@variable("sender_host_name", waits=True)
async def sender_host_name(context: Context) -> str | None:
    """The client's verified name, which is looked up where nobody has yet."""
    connection, resolver = context.connection, context.site.resolver
    if not connection.peer_address:
        return ""
    if connection.host_name is None and resolver is not None:
        return await look_up_host_name(connection, resolver)
    return connection.host_name


@variable("sender_fullhost")
def fullhost(context: Context) -> str:
    """The client as logs name it."""
    return sender_fullhost(context.connection, with_port=_logs_ports(context))


@variable("sender_rcvhost")
def rcvhost(context: Context) -> str:
    """The client as a Received: field names it."""
    return sender_rcvhost(context.connection, with_port=_logs_ports(context))


def _logs_ports(context: Context) -> bool:
    logs = context.site.logs
    return logs is not None and logs.selects("incoming_port")


@variable("sender_helo_name")
def sender_helo_name(context: Context) -> str:
    """What the client said in HELO or EHLO."""
    return context.connection.helo_name


@variable("sender_helo_verified")
def sender_helo_verified(context: Context) -> str:
    """Whether what the client said in HELO or EHLO was verified."""
    return "yes" if context.connection.helo_verified else "no"


@variable("sender_helo_dnssec")
def sender_helo_dnssec(context: Context) -> str:
    """Whether DNSSEC vouches for the look-ups that verified HELO or EHLO."""
    return "yes" if context.connection.helo_dnssec else "no"


@variable("sender_host_dnssec")
def sender_host_dnssec(context: Context) -> str:
    """Whether DNSSEC vouches for the client's name, once that was looked up."""
    return "yes" if context.connection.host_dnssec else "no"


@variable("sender_ident")
def sender_ident(context: Context) -> str:
    """The user that the client's host named, or the local caller's login name."""
    return context.connection.ident


@variable("sender_host_authenticated")
def sender_host_authenticated(context: Context) -> str:
    """The authenticator by which the client proved who it is."""
    return context.connection.authenticator


@variable("authenticated_id")
def authenticated_id(context: Context) -> str:
    """Who the client proved to be."""
    return context.connection.authenticated_id


@variable("authenticated_sender")
def authenticated_sender(context: Context) -> str:
    """The sender that AUTH= of MAIL named, where the client is trusted."""
    message = context.message
    if message is not None and message.authenticated_sender:
        return message.authenticated_sender
    return context.connection.authenticated_sender


@variable("authentication_failed")
def authentication_failed(context: Context) -> str:
    """1 where the client tried to authenticate and could not, else 0."""
    return "1" if context.connection.authentication_failed else "0"


@variable("host_lookup_failed")
def host_lookup_failed(context: Context) -> str:
    """1 where the client was found to have no name, else 0."""
    connection = context.connection
    failed = connection.host_lookup_failed and not connection.host_lookup_deferred
    return "1" if failed else "0"


@variable("host_lookup_deferred")
def host_lookup_deferred(context: Context) -> str:
    """1 where the client's name could not be looked up now, else 0."""
    return "1" if context.connection.host_lookup_deferred else "0"


@variable("received_ip_address")
def received_ip_address(context: Context) -> str:
    """The IP address of ours that the client connected to."""
    return context.connection.local_address


@variable("received_port")
def received_port(context: Context) -> str:
    """The port of ours that the client connected to."""
    port = context.connection.local_port
    return str(port) if port else ""


@variable("interface_address")
def interface_address(context: Context) -> str:
    """``received_ip_address`` by its old name."""
    return context.connection.local_address


@variable("interface_port")
def interface_port(context: Context) -> str:
    """``received_port`` by its old name."""
    return received_port(context)


@variable("received_protocol")
def received_protocol(context: Context) -> str:
    """How the message came: esmtps, local and so on."""
    return context.connection.protocol


@variable("connection_id")
def connection_id(context: Context) -> str:
    """What tells this connection from others in the log."""
    return context.connection.connection_id


@variable("smtp_command")
def smtp_command(context: Context) -> str:
    """The SMTP command in hand, as the client wrote it."""
    return context.connection.command


@variable("smtp_command_argument")
def smtp_command_argument(context: Context) -> str:
    """The argument of the SMTP command in hand."""
    return context.connection.command_argument


@variable("caller_uid")
def caller_uid(context: Context) -> str:
    """The user id of the process that called this program."""
    uid = context.connection.caller_uid
    return str(uid if uid >= 0 else os.getuid())


@variable("caller_gid")
def caller_gid(context: Context) -> str:
    """The group id of the process that called this program."""
    gid = context.connection.caller_gid
    return str(gid if gid >= 0 else os.getgid())


@variable("originator_uid")
def originator_uid(context: Context) -> str:
    """``caller_uid`` at the time when the message was received."""
    return caller_uid(context)


@variable("originator_gid")
def originator_gid(context: Context) -> str:
    """``caller_gid`` at the time when the message was received."""
    return caller_gid(context)
