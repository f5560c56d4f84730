"""What Twisted's ``startTLS`` leaves behind when a connection ends."""

from __future__ import annotations

from typing import Any

# Methods of the layer that it hangs on the transport below it.
_TIES = ("getHandle", "getPeerCertificate")


def release_tls(transport: Any) -> None:
    """Untie a transport from the TLS layer above it, once the connection has ended.

    They hold each other, and would stay until the garbage collector comes by: several
    kilobytes for each connection.
    """
    # A layer between hands startTLS on to the one below.
    below = getattr(transport, "transport", transport)
    attributes = getattr(below, "__dict__", {})
    for name in _TIES:
        attributes.pop(name, None)
