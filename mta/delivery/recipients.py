"""Route the recipients of a message: what is to be delivered, and what cannot be."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from mta.delivery.grouping import errors_path
from mta.delivery.outcomes import from_decision
from mta.delivery.progress import Failed, Progress, Waiting, done_keys
from mta.delivery.queue_options import QueueOptions
from mta.delivery.retry import BatchHints, Prospect, Retry
from mta.delivery.retry_keys import own_keys
from mta.delivery.routing import RouterChain, Routes, address_to_route
from mta.errors import MTAError
from mta.expand.context import Context, Site
from mta.interfaces import ILogs
from mta.message import PARKED, Message, Recipient
from mta.recipient import Outcome, Result, RoutedAddress
from mta.routers.base import Decision, Router, Verdict
from mta.transports.base import Transport

NEVER = "/dev/null"
LATER = 900.0
ROUTING_NOT_DUE = -52
LOCAL_NOT_DUE = -53
HELD = -23
QUEUED = -24


class RecipientRouting:
    """Routes recipients for delivery, retry times and held domains respected."""

    def __init__(
        self,
        *,
        routers: Mapping[str, Router],
        transports: Mapping[str, Transport],
        retry: Retry,
        site: Site,
        logs: ILogs,
        options: QueueOptions,
    ) -> None:
        self._routers = routers
        self._chain = RouterChain(routers)
        self._transports = transports
        self._retry = retry
        self._site = site
        self._logs = logs
        self._options = options

    async def route_all(self, progress: Progress) -> list[RoutedAddress]:
        """Return the addresses to deliver to; the others are in ``progress``."""
        message = progress.message
        undone: dict[str, Recipient] = {}
        for recipient in message.recipients:
            if not recipient.done:
                earlier = undone.setdefault(recipient.address.key, recipient)
                if earlier is not recipient:
                    recipient.done = True
        seen = set(undone)
        done = done_keys(message) if len(message.recipients) > 1 else set()
        if len(message.recipients) == 1:
            done.update(message.recipients[0].done_children)
        found: list[RoutedAddress] = []
        for recipient in undone.values():
            found += await self._route(progress, recipient, seen, done)
        return found

    async def _route(
        self, progress: Progress, recipient: Recipient, seen: set[str], done: set[str]
    ) -> list[RoutedAddress]:
        message = progress.message
        address = address_to_route(recipient.address, recipient)
        context = Context(
            self._site,
            message.connection,
            message,
            address,
            first_delivery=not progress.queue_running,
            queue_running=progress.queue_running,
        )
        hints = self._retry.for_batch(message, context, forced=progress.forced)
        reason = await self._reason_to_wait(progress, address, context, hints)
        if reason is not None:
            progress.owe(address)
            progress.waiting.append(reason)
            return []
        routes = await self._walk(message, address, context, seen)
        await self._take_refusals(progress, routes, hints)
        progress.discarded += routes.discarded
        found = self._wanted(progress, routes, hints, done)
        progress.check(recipient)
        return found

    async def _walk(
        self, message: Message, address: RoutedAddress, context: Context, seen: set[str]
    ) -> Routes:
        try:
            return await self._chain.route(address, context, seen=seen)
        except Exception:
            self._logs.panic(
                f"routing <{address.address}> failed: {traceback.format_exc(limit=-4)}",
                message.message_id,
            )
            decision = Decision(Verdict.DEFER, "internal error while routing")
            return Routes(deferred=[(address, decision)])

    async def _reason_to_wait(
        self,
        progress: Progress,
        address: RoutedAddress,
        context: Context,
        hints: BatchHints,
    ) -> Waiting | None:
        if progress.forced:
            return None
        options = self._options
        try:
            if options.hold_domains is not None and await options.hold_domains.match(
                address.domain, context
            ):
                return _waiting(address, "domain is held", HELD)
            if (
                not progress.queue_running
                and options.queue_domains is not None
                and await options.queue_domains.match(address.domain, context)
            ):
                return _waiting(address, "domain matches queue_domains", QUEUED)
        except MTAError as error:
            soon = Prospect(False, self._retry.now() + LATER)
            return _waiting(address, str(error), -1, soon)
        if progress.queue_running:
            for key in (f"R:{address.domain}", f"R:{address.address.key}"):
                if not hints.is_due(key):
                    text = "retry time not reached"
                    return _waiting(
                        address, text, ROUTING_NOT_DUE, hints.prospect_of_hosts()
                    )
        return None

    async def _take_refusals(
        self, progress: Progress, routes: Routes, hints: BatchHints
    ) -> None:
        message = progress.message
        for address, decision in routes.failed:
            progress.owe(address)
            outcome = from_decision(address, decision, Result.FAILED)
            progress.failed.append(Failed(outcome, errors_path(message, address)))
        for address, decision in routes.deferred:
            progress.owe(address)
            outcome = from_decision(address, decision, Result.DEFERRED)
            if decision.freeze:
                progress.freeze = ""
            key = self._routing_key(address)
            hints.failed(
                key,
                domain=address.domain,
                host="",
                error_name=decision.error_name,
                sender=message.sender.text,
                text=decision.text,
            )
            await hints.settle()
            progress.waiting.append(Waiting(outcome, hints.prospect(key)))

    def _routing_key(self, address: RoutedAddress) -> str:
        router = self._routers.get(address.router)
        if router is not None and router.check_local_user:
            return f"R:{address.address.key}"
        return f"R:{address.domain}"

    def _wanted(
        self, progress: Progress, routes: Routes, hints: BatchHints, done: set[str]
    ) -> list[RoutedAddress]:
        """Return the addresses that are to be delivered to now."""
        wanted = []
        for address in routes.accepted:
            hints.succeeded(f"R:{address.domain}")
            if done and address.key in done and _is_copy(address):
                continue
            if address.file_name == NEVER:
                progress.bypassed.append(address)
                continue
            progress.owe(address)
            transport = self._transports.get(address.transport)
            if transport is None:
                progress.waiting.append(self._without_transport(progress, address))
            elif progress.queue_running and not all(
                hints.is_due(key)
                for key in own_keys(address, transport, progress.message.sender)
            ):
                outcome = Outcome(
                    address,
                    Result.DEFERRED,
                    "retry time not reached",
                    error=ROUTING_NOT_DUE if transport.is_remote else LOCAL_NOT_DUE,
                )
                prospect = hints.prospect_of_hosts() or Prospect(False, PARKED)
                progress.waiting.append(Waiting(outcome, prospect))
            else:
                wanted.append(address)
        return wanted

    def _without_transport(self, progress: Progress, address: RoutedAddress) -> Waiting:
        name = address.transport
        text = f'unknown transport "{name}"' if name else "no transport was set"
        self._logs.panic(
            f"<{address.address}> R={address.router}: {text}",
            progress.message.message_id,
        )
        later = Prospect(False, self._retry.now() + LATER)
        return Waiting(Outcome(address, Result.DEFERRED, text, error=-1), later)


def _is_copy(address: RoutedAddress) -> bool:
    return address.parent is not None or address.unseen


def _waiting(
    address: RoutedAddress, text: str, error: int, prospect: Prospect | None = None
) -> Waiting:
    outcome = Outcome(address, Result.DEFERRED, text, error=error)
    return Waiting(outcome, prospect or Prospect(False, PARKED))
