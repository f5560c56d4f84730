"""Stand-ins for spool, hints, routers and transports."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from mta.address import parse_address
from mta.delivery.attempt import Attempt
from mta.delivery.bounce_options import BounceOptions
from mta.delivery.queue_options import QueueOptions
from mta.delivery.reports import Reports
from mta.delivery.retry import Retry, RetryOptions
from mta.delivery.retry_rules import parse_retry_rules
from mta.errors import SpoolError
from mta.expand.context import Site
from mta.message import Bytes, HeaderSection, Message, Recipient
from mta.recipient import Outcome, Result, RoutedAddress
from mta.routers.base import Decision, Router, Verdict
from mta.testing import MemoryLogs, PlainLanguage
from mta.transports.base import Batch, Transport

START = 1_700_000_000.0
DEFAULT_RULE = "* * F,2h,15m; G,16h,1h,1.5; F,4d,6h"


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Line:
    """A logical line of a retry section."""

    def __init__(self, text: str, line: int = 1) -> None:
        self.text = text
        self.file = "test.conf"
        self.line = line


class MemoryHints:
    """Hints in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}

    def get(self, kind: str, key: str) -> Any:
        return self.values.get((kind, key))

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        self.values[kind, key] = value

    def delete(self, kind: str, key: str) -> None:
        self.values.pop((kind, key), None)


class MemoryWriter:
    """A body writer in memory."""

    is_behind = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, octets: bytes) -> None:
        self._chunks.append(octets)

    async def finish(self) -> Bytes:
        return Bytes(b"".join(self._chunks))


class MemoryStore:
    """A spool that keeps what would be durable, and the order of events."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.durable: dict[str, Message] = {}
        self.next_tries: dict[str, float | None] = {}
        self.claimed: set[str] = set()
        self.chosen: set[str] = set()
        self.broken: set[str] = set()
        self._number = 0

    def next_id(self) -> str:
        self._number += 1
        return f"1bounce-{self._number:011d}-0000"

    def new_body(self) -> MemoryWriter:
        return MemoryWriter()

    def _write(self, operation: str) -> None:
        if operation in self.broken:
            raise SpoolError("no space")

    def keep(self, message: Message) -> None:
        """Have a message in the queue as the test begins."""
        self.durable[message.message_id] = copy.deepcopy(message)
        self.next_tries[message.message_id] = None

    async def add(self, message: Message) -> None:
        self._write("add")
        self.events.append(f"add {message.message_id}")
        self.keep(message)
        self.claimed.add(message.message_id)

    async def journal(self, message: Message) -> None:
        self._write("journal")
        self.events.append("journal")
        self.durable[message.message_id] = copy.deepcopy(message)

    async def remove(self, message_id: str) -> None:
        self._write("remove")
        self.events.append("remove")
        self.durable.pop(message_id, None)
        self.claimed.discard(message_id)

    async def save(
        self,
        message: Message,
        *,
        next_try: float | None,
        release: bool = True,
        tried: bool = True,
    ) -> None:
        self._write("save")
        self.events.append("save")
        self.durable[message.message_id] = copy.deepcopy(message)
        self.next_tries[message.message_id] = next_try
        self.claimed.discard(message.message_id)

    async def claim(self, message_id: str) -> Message | None:
        found = self.durable.get(message_id)
        self.chosen.discard(message_id)
        if found is None or message_id in self.claimed:
            return None
        self.claimed.add(message_id)
        return copy.deepcopy(found)

    async def claim_due(
        self,
        now: float,
        limit: int,
        *,
        force: bool = False,
        first_only: bool = False,
        match: Callable[[Any], bool] | None = None,
        frozen: bool = False,
        timed_only: bool = False,
        after: str = "",
        until: str = "",
    ) -> list[str]:
        found = []
        for message_id, message in self.durable.items():
            due = self.next_tries[message_id]
            is_due = (not timed_only if due is None else due <= now) or force
            if message_id in self.claimed | self.chosen or not is_due:
                continue
            if message.frozen and not frozen:
                continue
            if match is None or match(message):
                found.append(message_id)
        self.chosen.update(found[:limit])
        return found[:limit]

    async def release(self, message_ids: Iterable[str]) -> None:
        released = set(message_ids)
        self.claimed -= released
        self.chosen -= released

    async def earliest_try(self) -> float | None:
        times = [
            due
            for message_id, due in self.next_tries.items()
            if due is not None
            and message_id in self.durable
            and message_id not in self.claimed
        ]
        return min(times, default=None)


class EventLogs(MemoryLogs):
    """Logs that also write into the order of events."""

    def __init__(self, events: list[str], *selectors: str) -> None:
        super().__init__(MemoryLogs().selectors | set(selectors))
        self._events = events

    def main(self, text: str, message_id: str = "") -> None:
        super().main(text, message_id)
        self._events.append(f"log {text}")


class TableRouter(Router):
    """Routes by a table of address keys; everything else is accepted."""

    extension_name = "table"
    table: dict[str, Any]
    target = "remote"

    async def route(self, address: RoutedAddress, context: Any) -> Decision:
        found = self.table.get(address.address.key)
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, Decision):
            return found
        if isinstance(found, list):
            children = [child_of(address, text, self.target) for text in found]
            return Decision(Verdict.REDIRECT, children=children)
        address.transport = self.target
        return Decision(Verdict.ACCEPT)


def child_of(address: RoutedAddress, text: str, transport: str) -> RoutedAddress:
    """Return the child address, file or command that a redirection gives."""
    if text[0] in "/|":
        child = RoutedAddress(address.address, address.recipient, address)
        if text.startswith("/"):
            child.file_name = text
        else:
            child.pipe_command = text
        child.transport, child.router = transport, address.router
        return child
    parsed = parse_address(text)
    return RoutedAddress(
        parsed,
        address.recipient,
        address,
        local_part=parsed.local_part,
        domain=parsed.domain,
    )


class TableTransport(Transport):
    """Delivers by a table of address keys: a result, an outcome or an exception."""

    table: dict[str, Any]
    batches: list[Batch]
    is_remote = True

    async def deliver(self, batch: Batch) -> list[Outcome]:
        self.batches.append(batch)
        return [self._outcome(address, batch) for address in batch.addresses]

    def _outcome(self, address: RoutedAddress, batch: Batch) -> Outcome:
        found = self.table.get(address.address.key, Result.DELIVERED)
        if callable(found):
            found = found(address, batch)
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, Result):
            return Outcome(address, found, local=not self.is_remote)
        return found


class Rig:
    """All parts of delivery over fakes."""

    def __init__(
        self,
        *selectors: str,
        rules: Iterable[str] = (DEFAULT_RULE,),
        queue: dict[str, str] | None = None,
        bounces: dict[str, str] | None = None,
        routers: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.time = Time()
        self.events: list[str] = []
        self.store = MemoryStore(self.events)
        self.logs = EventLogs(self.events, *selectors)
        self.hints = MemoryHints()
        language = PlainLanguage()
        self.site = Site(
            primary_hostname="mx.example.com",
            qualify_domain="example.com",
            version="1",
            language=language,
            clock=self.time,
        )
        self.routers: dict[str, TableRouter] = {}
        for name, texts in (routers or {"first": {}}).items():
            self.routers[name] = TableRouter.with_texts(
                texts, language=language, name=name
            )
            self.routers[name].table = {}
        self.transports: dict[str, TableTransport] = {}
        for name in ("remote", "local"):
            made = TableTransport.with_texts({}, language=language, name=name)
            made.table, made.batches = {}, []
            made.is_remote = name == "remote"
            self.transports[name] = made
        self.options = QueueOptions.with_texts(queue or {}, language=language)
        self.retry = Retry(
            hints=self.hints,
            rules=parse_retry_rules([Line(text) for text in rules]),
            options=RetryOptions(),
            clock=self.time,
        )
        texts = {"delay_warning_condition": "yes", "dsn_from": "Daemon <d@example.com>"}
        self.reports = Reports(
            store=self.store,
            site=self.site,
            logs=self.logs,
            options=BounceOptions.with_texts(
                texts | (bounces or {}), language=language
            ),
            clock=self.time,
        )
        self.attempt = self.make_attempt()

    def make_attempt(self) -> Attempt:
        """Return an attempt over the parts as they are now."""
        return Attempt(
            routers=self.routers,
            transports=self.transports,
            store=self.store,
            retry=self.retry,
            reports=self.reports,
            site=self.site,
            logs=self.logs,
            options=self.options,
            clock=self.time,
        )

    @property
    def router(self) -> TableRouter:
        return next(iter(self.routers.values()))

    @property
    def remote(self) -> TableTransport:
        return self.transports["remote"]

    @property
    def local(self) -> TableTransport:
        return self.transports["local"]

    def message(
        self, *recipients: str, sender: str = "author@example.org", **facts: Any
    ) -> Message:
        """Return a message that is in the queue and claimed."""
        message = Message(
            message_id="1message-00000000001-0000",
            sender=parse_address(sender) if sender else Message().sender,
            recipients=[Recipient(parse_address(text)) for text in recipients],
            header=HeaderSection(b"Message-ID: <x@example.org>\r\nSubject: Hello\r\n"),
            body=Bytes(b"Body\r\n"),
            received_at=self.time.now,
        )
        for name, value in facts.items():
            setattr(message, name, value)
        self.store.keep(message)
        self.store.claimed.add(message.message_id)
        return message


def refusing(result: Result, text: str, **facts: Any) -> Callable[..., Outcome]:
    """Return what makes an outcome for whichever address is delivered to."""
    return lambda address, batch: Outcome(address, result, text, **facts)
