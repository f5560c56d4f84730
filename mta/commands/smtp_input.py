"""Speak SMTP on standard input and output: ``-bs``, and without replies ``-bS``."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mta.address import NULL_PATH, Address
from mta.assembly import Assembly
from mta.commands.arguments import Arguments
from mta.commands.caller import Caller, identify_caller
from mta.commands.origin import local_connection
from mta.commands.queue_run import with_parts
from mta.commands.sendmail import (
    EX_FAILURE,
    EX_OK,
    deliver,
    may_set_sender,
)
from mta.connection import Connection
from mta.lists.host_names import plain_address
from mta.message import PARKED

if TYPE_CHECKING:
    from mta.message import Message
    from mta.parts import Parts
    from mta.reception.local_session import LocalSMTPFactory

EX_NOTHING_ACCEPTED = 2
CHUNK = 65536


class Submissions:
    """Takes what a session accepted, and has each message delivered as asked."""

    def __init__(self, assembly: Assembly, arguments: Arguments) -> None:
        self._assembly = assembly
        self._arguments = arguments
        self.parts: Parts | None = None
        self.count = 0
        self._under_way: set[Any] = set()

    def accepted(self, message: Message) -> None:
        """Give a message back to the queue, and start its delivery."""
        from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

        self.count += 1
        handing = Deferred.fromCoroutine(self._hand_over(message))
        if not handing.called:
            self._under_way.add(handing)
            handing.addBoth(lambda _: self._under_way.discard(handing))

    async def _hand_over(self, message: Message) -> None:
        assert self.parts is not None
        if message.queue_only and not message.frozen:
            return
        due = PARKED if message.frozen else time.time()
        await self.parts.store.save(message, next_try=due, tried=False)
        if not message.frozen:
            deliver(self._assembly, self._arguments, message)

    async def all_handed_over(self) -> None:
        """Wait until every message is given back."""
        from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

        while self._under_way:
            turn: Deferred[None] = Deferred()
            next(iter(self._under_way)).addBoth(lambda _, t=turn: t.callback(None))
            await turn


def speak_smtp(assembly: Assembly, arguments: Arguments) -> int:
    """Serve one client on standard input and output (``-bs``).

    Where standard input is a socket, its peer is the client, as under inetd.
    """
    submissions = Submissions(assembly, arguments)
    caller = identify_caller(assembly)

    async def work(parts: Parts) -> int:
        from twisted.internet.stdio import StandardIO  # noqa: PLC0415 - start-up time

        from mta.parts import build_server  # noqa: PLC0415 - start-up time
        from mta.reception.local_session import LocalSMTPFactory  # noqa: PLC0415

        submissions.parts = parts
        factory = build_server(parts, None, _reactor(), LocalSMTPFactory)
        ended = _serve(factory, assembly, arguments, caller, "smtp")
        StandardIO(  # type: ignore[no-untyped-call]
            factory.buildProtocol(None)
        )
        await ended
        await submissions.all_handed_over()
        return EX_OK

    return with_parts(assembly, work, accepted=submissions.accepted)


def _reactor() -> Any:
    from mta.commands.waiting import the_reactor  # noqa: PLC0415 - start-up time

    return the_reactor()


def _serve(
    factory: LocalSMTPFactory,
    assembly: Assembly,
    arguments: Arguments,
    caller: Caller,
    protocol: str,
) -> Any:
    """Tell the factory who calls; return what ends with the session."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - start-up time

    ended: Deferred[None] = Deferred()
    remote = _remote_client()
    factory.serve(
        remote or _connection(arguments, caller, protocol),
        waits_for_replies=remote is not None,
        seen_sender=_seen_sender(assembly, arguments, caller),
        ended=lambda: ended.callback(None),
        qualifies=not arguments.no_qualify,
    )
    return ended


def _remote_client() -> Connection | None:
    """Return the client at the other end of standard input, if that is a socket."""
    try:
        with socket.socket(fileno=os.dup(0)) as standard_input:
            peer = standard_input.getpeername()
            host = standard_input.getsockname()
    except OSError:
        return None
    if not isinstance(peer, tuple):
        return None
    return Connection(
        peer_address=plain_address(peer[0]),
        peer_port=peer[1],
        local_address=plain_address(host[0]),
        local_port=host[1],
        started_at=time.time(),
    )


def _connection(arguments: Arguments, caller: Caller, protocol: str) -> Connection:
    connection = local_connection(arguments, caller)
    if "r" not in arguments.origin or not caller.is_trusted:
        # A client whose address is given is one like those of the network.
        connection.local_protocol = "" if connection.peer_address else protocol
    return connection


def _seen_sender(
    assembly: Assembly, arguments: Arguments, caller: Caller
) -> Callable[[Address], Address]:
    own = Address(caller.login, assembly.site.qualify_domain)
    is_remote = _remote_client() is not None

    def seen(sender: Address) -> Address:
        if sender and not sender.domain and not (is_remote or arguments.no_qualify):
            sender = sender._replace(domain=assembly.site.qualify_domain)
        if is_remote or caller.is_trusted or sender == NULL_PATH:
            return sender
        return sender if may_set_sender(assembly, sender) else own

    return seen


def read_batch(assembly: Assembly, arguments: Arguments) -> int:
    """Take a batch of messages, whose SMTP nobody answers (``-bS``).

    Returns 1 where an error ended it after messages were accepted, 2 where none was.
    """
    submissions = Submissions(assembly, arguments)
    caller = identify_caller(assembly)

    async def work(parts: Parts) -> int:
        from mta.parts import build_server  # noqa: PLC0415 - start-up time
        from mta.reception.local_session import (  # noqa: PLC0415 - start-up time
            BatchPolicy,
            BatchProtocol,
            LocalSMTPFactory,
        )

        submissions.parts = parts
        factory = build_server(parts, None, _reactor(), LocalSMTPFactory)
        policy: Any = BatchPolicy(parts.policy)
        factory.shared.policy = policy
        factory.protocol = BatchProtocol
        ended = _serve(factory, assembly, arguments, caller, "local-bsmtp")
        await _feed(factory.buildProtocol(None))
        await ended
        await submissions.all_handed_over()
        for refusal in factory.refusals:
            print(f"mta: error in a batch of messages: {refusal}", file=sys.stderr)
        if not factory.refusals:
            return EX_OK
        print(
            f"mta: {submissions.count} messages before it were accepted, the rest of "
            "the batch was not read",
            file=sys.stderr,
        )
        return EX_FAILURE if submissions.count else EX_NOTHING_ACCEPTED

    return with_parts(assembly, work, accepted=submissions.accepted)


async def _feed(protocol: Any) -> None:
    """Give standard input to a protocol, no faster than it can take it."""
    from mta.reception.local_session import (  # noqa: PLC0415 - start-up time
        SilentTransport,
        StandardInput,
    )

    standard_input = StandardInput(_reactor())
    transport = SilentTransport(protocol)
    protocol.makeConnection(transport)
    last = b""
    while transport.is_open:
        await transport.when_wanted()
        await standard_input.when_readable()
        octets = os.read(0, CHUNK)
        if not octets:
            break
        # Batches come from files of this system: their lines end with LF.
        block = (last + octets).replace(b"\r\n", b"\n")
        last = b"\r" if block.endswith(b"\r") else b""
        block = block[: len(block) - len(last)]
        protocol.dataReceived(block.replace(b"\n", b"\r\n"))
    if transport.is_open:
        protocol.readConnectionLost()
