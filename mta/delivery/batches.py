"""Hand a group of addresses to its transport, and weigh what comes back."""

from __future__ import annotations

import traceback

from mta.delivery.concurrency import Slots
from mta.delivery.grouping import Group, errors_path
from mta.delivery.outcomes import RETRY_TIME_NOT_REACHED
from mta.delivery.progress import Delivered, Failed, Progress, Waiting
from mta.delivery.retry import BatchHints, Prospect, Retry, is_address_key
from mta.delivery.retry_keys import own_key, own_keys
from mta.errors import MTAError, PermanentFailure, TemporaryFailure
from mta.expand.context import Context, Site
from mta.interfaces import ILogs
from mta.message import Message
from mta.recipient import Outcome, Result, RoutedAddress
from mta.transports.base import Batch, Transport

LATER = 900.0  # also of failures whose report could not be written
BUSY_SECONDS = 60.0
RCPT_REFUSED = -44


class BatchDelivery:
    """Delivers groups, each transport within its ``max_parallel``."""

    def __init__(self, *, retry: Retry, site: Site, logs: ILogs) -> None:
        self._retry = retry
        self._site = site
        self._logs = logs
        self._slots: dict[str, Slots] = {}

    async def deliver(
        self, progress: Progress, one: Group
    ) -> list[Delivered | Waiting | Failed]:
        """Return what became of each address of a group."""
        message = progress.message
        context = self._context(progress, one)
        hints = self._retry.for_batch(message, context, forced=progress.forced)
        batch = Batch(message, one.addresses, context, one.return_path, hints)
        begun = self._retry.now()
        outcomes = await self._outcomes(one.transport, batch)
        took = self._retry.now() - begun
        await hints.settle()
        results: list[Delivered | Waiting | Failed] = []
        for outcome in outcomes:
            outcome.local = not one.transport.is_remote
            outcome.took = outcome.took or took
            if outcome.freeze:
                progress.freeze = progress.freeze or ""
            if outcome.result is Result.DELIVERED:
                _forget(hints, outcome.address, one.transport, message)
                first = not any(isinstance(result, Delivered) for result in results)
                path = batch.return_path
                results.append(Delivered(outcome, path, first, message.size))
            elif outcome.result is Result.FAILED:
                _forget(hints, outcome.address, one.transport, message)
                path = errors_path(message, outcome.address)
                results.append(Failed(outcome, path))
            else:
                prospect = await self._prospect(hints, outcome, one.transport, message)
                results.append(Waiting(outcome, prospect))
        return results

    def _context(self, progress: Progress, one: Group) -> Context:
        message = progress.message
        return Context(
            self._site,
            message.connection,
            message,
            one.addresses[0],
            addresses=one.addresses,
            transport_name=one.transport.name,
            return_path=one.return_path.text,
            first_delivery=not progress.queue_running,
            queue_running=progress.queue_running,
        )

    async def _outcomes(self, transport: Transport, batch: Batch) -> list[Outcome]:
        """Return an outcome for every address, whatever the transport does."""
        try:
            await transport.check_size(batch.message, batch.context)
            batch.return_path = await transport.new_return_path(
                batch.return_path, batch.context
            )
            batch.context.return_path = batch.return_path.text
            outcomes = await self._within_limit(transport, batch)
        except PermanentFailure as error:
            return [_failed(address, error) for address in batch.addresses]
        except MTAError as error:
            return [_deferred(address, error) for address in batch.addresses]
        except Exception as error:
            self._logs.panic(
                f"T={transport.name}: delivery failed: {traceback.format_exc(limit=-4)}",
                batch.message.message_id,
            )
            return [_deferred(address, error) for address in batch.addresses]
        return self._complete(transport, batch, outcomes)

    async def _within_limit(self, transport: Transport, batch: Batch) -> list[Outcome]:
        if transport.max_parallel is None:
            return await transport.deliver(batch)
        limit = await transport.max_parallel.value(batch.context)
        if limit <= 0:
            return await transport.deliver(batch)
        slots = self._slots.setdefault(transport.name, Slots())
        await slots.take(limit)
        try:
            return await transport.deliver(batch)
        finally:
            slots.give_back()

    def _complete(
        self, transport: Transport, batch: Batch, outcomes: list[Outcome]
    ) -> list[Outcome]:
        told = {id(outcome.address) for outcome in outcomes}
        missing = [a for a in batch.addresses if id(a) not in told]
        if not missing:
            return outcomes
        self._logs.panic(
            f"T={transport.name}: no outcome for {len(missing)} of "
            f"{len(batch.addresses)} addresses",
            batch.message.message_id,
        )
        error = TemporaryFailure("the transport did not say what became of it")
        return [*outcomes, *(_deferred(address, error) for address in missing)]

    async def _prospect(
        self,
        hints: BatchHints,
        outcome: Outcome,
        transport: Transport,
        message: Message,
    ) -> Prospect:
        """Return what a deferral means: when to try again, or that it is too late."""
        key = outcome.retry_key
        if key and is_address_key(key) and hints.has_recorded(key):
            return hints.prospect(key)
        is_own = key == "" or outcome.error == RCPT_REFUSED or not transport.is_remote
        if outcome.error in RETRY_TIME_NOT_REACHED or not is_own:
            prospect = hints.prospect_of_hosts()
            if prospect is not None:
                return prospect
            if outcome.error in RETRY_TIME_NOT_REACHED:
                # No host failed or was passed over: all are busy with others.
                return Prospect(False, self._retry.now() + BUSY_SECONDS)
        own = own_key(outcome.address, transport, message.sender)
        hints.failed(
            own,
            domain=outcome.address.domain,
            host="",
            error_name=outcome.error_name,
            sender=message.sender.text,
            text=outcome.text,
        )
        await hints.settle()
        return hints.prospect(own)


def _forget(
    hints: BatchHints, address: RoutedAddress, transport: Transport, message: Message
) -> None:
    for key in own_keys(address, transport, message.sender):
        hints.succeeded(key)


def _failed(address: RoutedAddress, error: PermanentFailure) -> Outcome:
    return Outcome(
        address,
        Result.FAILED,
        error.log_text,
        status=error.status,
        report_text=error.text,
    )


def _deferred(address: RoutedAddress, error: Exception) -> Outcome:
    outcome = Outcome(
        address,
        Result.DEFERRED,
        str(error),
        error=-1,
        report_text="this system could not deliver it",
    )
    if isinstance(error, TemporaryFailure):
        outcome.error = error.facts.get("error", -1)
        outcome.error_name = error.facts.get("error_name", "")
        outcome.report_text = error.text
    elif not isinstance(error, MTAError):
        outcome.text = "internal error in the transport"
    return outcome
