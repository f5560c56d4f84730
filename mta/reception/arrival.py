"""The ``<=`` line that tells of a message's arrival (Exim chapter 52)."""

from __future__ import annotations

from mta.acl.log_text import host_and_ident, tls_fields
from mta.connection import Connection
from mta.interfaces import ILogs
from mta.message import Message
from mta.reception.proxy_log import proxy_fields
from mta.reception.trace import plain_text, received_protocol

VALUE_LIMIT = 256


def arrival_line(
    message: Message,
    logs: ILogs,
    *,
    now: float,
    id_created: bool = False,
    faked: bool = False,
) -> str:
    """Return the line for a message that is now ours.

    ``id_created`` says that its Message-ID: is from us, ``faked`` that the client
    was told that the message was refused.
    """
    connection = message.connection
    sender = plain_text(message.sender)
    parts = ["(=" if faked else "<=", sender or "<>"]
    if message.original_message_id:
        parts.append(f"R={message.original_message_id}")
    if connection.peer_address or connection.ident or connection.caller_login:
        is_shown = connection.host_dnssec and logs.selects("dnssec")
        parts.append(("DS " if is_shown else "") + host_and_ident(connection, logs))
    if connection.connection_id and logs.selects("connection_id"):
        parts.append(f"Ci={connection.connection_id}")
    parts.append(f"P={received_protocol(message)}{tls_fields(connection, logs)}")
    if connection.authenticator:
        parts.append(_authentication(connection, message, logs))
    if connection.proxy is not None and logs.selects("proxy"):
        parts += proxy_fields(connection.proxy)
    parts.append(f"S={message.size}")
    if logs.selects("8bitmime"):
        parts.append(f"M8S={_BODY_BITS.get(message.body_type, 0)}")
    if logs.selects("receive_time"):
        parts.append(f"RT={max(0.0, now - message.received_at):.3f}s")
    parts += _from_header(message, logs, id_created)
    if logs.selects("received_sender"):
        parts.append(f"from <{sender}>")
    if logs.selects("received_recipients"):
        parts.append("for")
        parts += [plain_text(recipient.address) for recipient in message.recipients]
    return " ".join(parts)


_BODY_BITS = {"7BIT": 7, "8BITMIME": 8}


def _authentication(connection: Connection, message: Message, logs: ILogs) -> str:
    text = f"A={connection.authenticator}"
    if connection.authenticated_id:
        text += f":{connection.authenticated_id}"
    sender = message.authenticated_sender or connection.authenticated_sender
    if sender and logs.selects("smtp_mailauth"):
        text += f":{sender}"
    return text


def _from_header(message: Message, logs: ILogs, id_created: bool) -> list[str]:
    parts = []
    content = message.header.content
    lower = content.lower()
    if logs.selects("msg_id_created" if id_created else "msg_id"):
        identifier = ""
        if b"\nresent-" in lower:
            identifier = _value(content, lower, b"\nresent-message-id")
        identifier = identifier or _value(content, lower, b"\nmessage-id")
        identifier = identifier.removeprefix("<").removesuffix(">")
        if identifier:
            parts.append(f"id{'*' if id_created else ''}={identifier}")
    if logs.selects("subject"):
        subject = _value(content, lower, b"\nsubject")
        if subject:
            escaped = subject.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'T="{escaped}"')
    return parts


def _value(content: bytes, lower: bytes, name: bytes) -> str:
    """Return the value of the first field of a name, cut, on one line.

    Empty where there is none.  The section is not taken apart for it; the first of
    all fields, which is our own Received:, is not looked at.
    """
    start = lower.find(name)
    while start >= 0:
        colon = start + len(name)
        while lower[colon : colon + 1] in (b" ", b"\t"):
            colon += 1
        if lower[colon : colon + 1] == b":":
            return _unfolded(content, colon + 1)
        start = lower.find(name, colon)
    return ""


def _unfolded(content: bytes, start: int) -> str:
    end = content.find(b"\n", start)
    while end >= 0 and content[end + 1 : end + 2] in (b" ", b"\t"):
        end = content.find(b"\n", end + 1)
    value = content[start : end if end >= 0 else None].replace(b"\r\n", b"").strip()
    return value[:VALUE_LIMIT].decode("utf-8", "surrogateescape")
