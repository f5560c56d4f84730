"""What TLS towards a host must be like; plain values, so nothing is loaded for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verify(Enum):
    """What a certificate that cannot be verified means."""

    NEVER = "nobody looks at it"
    TRY = "the session goes on, and the log says so"
    REQUIRE = "the session ends"


class Start(Enum):
    """When TLS begins, and whether it may be missing."""

    NEVER = "not at all"
    OFFERED = "after STARTTLS, where the server offers it"
    REQUIRED = "after STARTTLS, or nothing is sent"
    ON_CONNECT = "before the greeting"


@dataclass(frozen=True, slots=True)
class ClientTLSPolicy:
    """How one connection is to be secured.

    ``certificates`` is ``system``, a file or a directory.  ``name`` is what the
    certificate must be for, empty where any name will do.  ``server_name`` goes out
    as SNI, empty for none.  Equal policies may share a connection.
    """

    start: Start = Start.OFFERED
    verify: Verify = Verify.TRY
    name: str = ""
    server_name: str = ""
    certificates: str = "system"
