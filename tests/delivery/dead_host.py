"""A host that refuses every connection, as the smtp transport tells of it."""

from __future__ import annotations

from typing import Any

from mta.host import Host
from mta.recipient import Outcome, Result
from mta.transports.base import Batch

DEAD = Host("mx.far.example", "192.0.2.1")


def dead_host(address: Any, batch: Batch) -> Outcome:
    """Behave as the smtp transport does when the one host refuses connections."""
    key = "T:mx.far.example:192.0.2.1"
    if not batch.hints.is_due(key):
        text = "retry time not reached for any host"
        return Outcome(address, Result.DEFERRED, text, error=-54)
    batch.hints.failed(
        key,
        domain=address.domain,
        host=DEAD.name,
        error_name="refused_A",
        sender="",
        text="Connection refused",
    )
    return Outcome(
        address,
        Result.DEFERRED,
        "Connection refused",
        error=111,
        error_name="refused_A",
        host=DEAD,
        retry_key=key,
    )
