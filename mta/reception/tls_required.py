"""What a message says of TLS itself (RFC 8689, section 4.1)."""

from __future__ import annotations

from mta.message import Message

_NAME = b"tls-required"


def asks_for_no_tls(message: Message) -> bool:
    """Return whether delivery matters more than TLS: ``TLS-Required: No``.

    REQUIRETLS has the last word, and a message that contradicts itself asks nothing.
    """
    if message.requiretls or _NAME not in message.header.content.lower():
        return False
    fields = message.header.named("TLS-Required")
    return len(fields) == 1 and _token(fields[0].value) == b"no"


def _token(value: bytes) -> bytes:
    """Return a value without the comments around it, in lower case."""
    kept = []
    depth = 0
    for octet in value.lower():
        if octet == 0x28:
            depth += 1
        elif octet == 0x29 and depth:
            depth -= 1
        elif not depth:
            kept.append(octet)
    return bytes(kept).strip() if not depth else b""
