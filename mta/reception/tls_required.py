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
    # Section 3: there are no comments, and no other value.
    return len(fields) == 1 and fields[0].value.strip().lower() == b"no"
