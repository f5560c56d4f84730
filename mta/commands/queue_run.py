"""Run the queue, or deliver or give up some of its messages, in this process."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mta.assembly import Assembly
from mta.commands.arguments import Arguments
from mta.commands.caller import may_administer
from mta.commands.waiting import run_in_reactor
from mta.spool.listing import QueueEntry

if TYPE_CHECKING:
    from mta.parts import Parts


def with_parts(
    assembly: Assembly, work: Callable[[Parts], Awaitable[int]], **options: Any
) -> int:
    """Do something with all the parts of an MTA, in a reactor of this process."""
    # Start-up time: only commands that deliver load this.
    from mta.parts import build_parts  # noqa: PLC0415

    async def run(reactor: Any) -> int:
        parts = build_parts(assembly, reactor, **options)
        parts.start()
        try:
            return await work(parts)
        finally:
            await parts.stop()

    return run_in_reactor(run)


def run_queue(assembly: Assembly, arguments: Arguments) -> int:
    """Make one queue run (``-q``, ``-qf``, ``-qff``, ``-R``, ``-S``)."""
    from mta.delivery.queued_message import RunRequest  # noqa: PLC0415 - start-up time

    flags = arguments.queue_flags
    forced = "f" in flags
    request = RunRequest(
        flags=f"-q{flags}" if flags else "",
        forced=forced,
        thaw="ff" in flags,
        first_only="i" in flags,
        match=_match(arguments),
        after=arguments.operands[0] if arguments.operands else "",
        until=arguments.operands[1] if len(arguments.operands) > 1 else "",
    )

    async def work(parts: Parts) -> int:
        await parts.runner.run_once(request)
        return 0

    return with_parts(assembly, work)


def _match(arguments: Arguments) -> Callable[[QueueEntry], bool] | None:
    if arguments.recipient_match is not None:
        wanted = re.compile(arguments.recipient_match, re.IGNORECASE)
        return lambda entry: any(
            wanted.search(address) for address, done in entry.recipients if not done
        )
    if arguments.sender_match is not None:
        wanted = re.compile(arguments.sender_match, re.IGNORECASE)
        return lambda entry: bool(wanted.search(entry.sender))
    return None


def deliver_messages(assembly: Assembly, arguments: Arguments) -> int:
    """Deliver messages by id: at all costs (``-M``), or as a runner would (``-Mc``)."""
    from mta.delivery.queued_message import RunRequest  # noqa: PLC0415 - start-up time

    if arguments.forced and not may_administer(assembly):
        return 1
    request = RunRequest(forced=arguments.forced, thaw=arguments.forced)

    async def work(parts: Parts) -> int:
        missed = await parts.runner.deliver_now(arguments.operands, request)
        for message_id in missed:
            if arguments.forced:
                print(
                    f"mta: message {message_id} does not exist, or another process "
                    "is handling it",
                    file=sys.stderr,
                )
        return 0

    return with_parts(assembly, work)


def give_up(assembly: Assembly, arguments: Arguments) -> int:
    """Return messages to their senders without trying again (``-Mg``)."""

    async def work(parts: Parts) -> int:
        status = 0
        for message_id in arguments.operands:
            if await parts.runner.give_up(message_id):
                print(f"Message {message_id} has been given up")
            else:
                print(f"Message {message_id} does not exist or is locked")
                status = 1
        return status

    return with_parts(assembly, work)
