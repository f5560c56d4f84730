"""What local transports share: outcomes, and the line before a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from mta.errors import (
    DeliveryFailure,
    ExpansionError,
    PermanentFailure,
    TemporaryFailure,
)
from mta.recipient import Outcome, Result
from mta.transports.base import Batch


async def deliver_locally(
    batch: Batch, deliver: Callable[[Batch], Coroutine[Any, Any, Outcome | None]]
) -> list[Outcome]:
    """Return the outcomes of a delivery that raises its failures.

    ``deliver`` may return an outcome of its own for the first address, which then
    holds for all.
    """
    try:
        special = await deliver(batch)
    except DeliveryFailure as failure:
        return outcomes(batch, failed(batch, failure))
    except ExpansionError as error:
        wrong = TemporaryFailure("local delivery failed", log_text=str(error))
        return outcomes(batch, failed(batch, wrong))
    return outcomes(batch, special or delivered(batch))


def outcomes(batch: Batch, first: Outcome) -> list[Outcome]:
    """Return an outcome like the first for every address of the batch."""
    found = [first]
    for address in batch.addresses[1:]:
        found.append(
            Outcome(
                address,
                first.result,
                first.text,
                first.status,
                first.error,
                first.error_name,
                local=True,
                freeze=first.freeze,
                output=first.output,
                report_text=first.report_text,
            )
        )
    return found


def delivered(batch: Batch) -> Outcome:
    """Return the outcome of a delivery that went well, for the first address."""
    return Outcome(batch.addresses[0], Result.DELIVERED, local=True)


def failed(batch: Batch, failure: DeliveryFailure) -> Outcome:
    """Return the outcome that a failure means for the first address."""
    is_permanent = isinstance(failure, PermanentFailure)
    return Outcome(
        batch.addresses[0],
        Result.FAILED if is_permanent else Result.DEFERRED,
        failure.log_text,
        failure.status,
        failure.facts.get("error", 0),
        failure.facts.get("error_name", ""),
        local=True,
        freeze=failure.facts.get("freeze", False),
        output=failure.facts.get("output", b""),
        report_text=failure.text,
    )


def from_line(batch: Batch) -> bytes:
    """Return the line that begins a message in an mbox file (``From sender date``)."""
    sender = batch.return_path.text or "MAILER-DAEMON"
    date = time.strftime(
        "%a %b %d %H:%M:%S %Y", time.localtime(batch.context.site.clock())
    )
    return f"From {sender} {date}\n".encode("utf-8", "surrogateescape")
