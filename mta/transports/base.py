"""Generic transport options; the outcome per recipient (Exim chapter 24)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mta.address import NULL_PATH, Address, AddressError, parse_address
from mta.errors import ForcedFailure, PermanentFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import Expanded, ExpandedInteger
from mta.interfaces import IRetryHints, ITransport
from mta.message import Bytes, HeaderField, HeaderSection, IBody, Message
from mta.options import Boolean, Configurable, Option, RepeatedOption
from mta.plugins import extension
from mta.recipient import Outcome, RoutedAddress

transport = extension(ITransport)


@dataclass(slots=True)
class Batch:
    """Addresses of one message that one transport delivers together.

    All have the same transport, hosts, return path and header changes.  ``context``
    is for expansions; its ``address`` is the first one, ``addresses`` all of them.
    """

    message: Message
    addresses: list[RoutedAddress]
    context: Context
    return_path: Address = NULL_PATH
    hints: IRetryHints | None = None
    options: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Prepared:
    """The content of a message as one transport sends it, in CRLF lines.

    ``header`` is without the empty line that ends it, and None where only the body
    is wanted.
    """

    header: bytes | None
    body: IBody

    @property
    def start(self) -> bytes:
        """The header section with its empty line; nothing for a lone body."""
        return b"" if self.header is None else self.header + b"\r\n"

    @property
    def size(self) -> int:
        """Octets in all, the empty line counted."""
        before = 0 if self.header is None else len(self.header) + 2
        return before + self.body.size

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give all octets in order, the header section first."""
        if self.header is not None:
            yield self.start
        yield from self.body.chunks(size)


class Transport(Configurable):
    """A transport instance; drivers add their options and ``deliver``."""

    is_remote = False

    body_only = Option(Boolean, "false", "Send the body without the header section.")
    current_directory = Option(
        Expanded, None, "Working directory of a local delivery, before the router's."
    )
    delivery_date_add = Option(Boolean, "false", "Add a Delivery-date: field.")
    envelope_to_add = Option(Boolean, "false", "Add an Envelope-to: field.")
    group = Option(Expanded, None, "Group that a local delivery runs as.")
    headers_add = RepeatedOption(Expanded, "Header fields to add, one a line.")
    headers_only = Option(Boolean, "false", "Send the header section without the body.")
    headers_remove = RepeatedOption(
        Expanded, "Names of header fields to leave out; a final * matches any rest."
    )
    home_directory = Option(
        Expanded, None, "The user's home directory, before the router's."
    )
    max_parallel = Option(
        ExpandedInteger, None, "How many deliveries this transport does at once."
    )
    message_size_limit = Option(
        ExpandedInteger, "0", "Largest message that is delivered; 0 means any."
    )
    rcpt_include_affixes = Option(
        Boolean, "false", "Keep local part prefix and suffix in RCPT commands."
    )
    retry_use_local_part = Option(
        Boolean, None, "Keep retry times by address; else by domain alone."
    )
    return_path = Option(Expanded, None, "The reverse-path to use in its place.")
    return_path_add = Option(Boolean, "false", "Add a Return-path: field.")
    user = Option(Expanded, None, "User that a local delivery runs as.")

    def attach(self, *, reactor: Any, thread_pool: Any) -> None:
        """Take what a delivery needs to wait; called once, before the first one."""

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Deliver and return an outcome for every address of the batch.

        Expected failures are outcomes; an exception means a defect, and the caller
        defers the addresses.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End what is kept between deliveries, such as idle connections."""

    def recipient_text(self, address: RoutedAddress) -> str:
        """Return the address for a RCPT command or a report of this delivery."""
        whole = address.address
        if self.rcpt_include_affixes or not (address.prefix or address.suffix):
            return whole.text
        end = len(whole.local_part) - len(address.suffix)
        return Address(whole.local_part[len(address.prefix) : end], whole.domain).text

    async def check_size(self, message: Message, context: Context) -> None:
        """Raise PermanentFailure for a message larger than the transport takes."""
        limit = await self.message_size_limit.value(context)
        if limit > 0 and message.size > limit:
            raise PermanentFailure(
                f"message is too big (transport limit = {limit})", status="5.3.4"
            )

    async def new_return_path(self, given: Address, context: Context) -> Address:
        """Return the reverse-path to send with, ``given`` unless the option is set.

        Raises TemporaryFailure where the option gives no address.
        """
        if self.return_path is None:
            return given
        try:
            text = (await self.return_path.expand(context)).strip()
        except ForcedFailure:
            return given
        if text in ("", "<>"):
            return NULL_PATH
        try:
            return parse_address(text.removeprefix("<").removesuffix(">"))
        except AddressError as error:
            raise TemporaryFailure(f"bad return_path: {error}") from error

    async def run_as(self, batch: Batch) -> tuple[str | int | None, str | int | None]:
        """Return user and group of a local delivery: the option's, else the router's."""
        first = batch.addresses[0]
        user, group = first.user, first.group
        if self.user is not None:
            user, group = await self.user.expand(batch.context), None
        if self.group is not None:
            group = await self.group.expand(batch.context)
        return user, group

    async def directories(self, batch: Batch) -> tuple[str | None, str | None]:
        """Return home and working directory: the option's, else the router's."""
        first = batch.addresses[0]
        home, current = first.home, first.current_directory
        if self.home_directory is not None:
            home = await self.home_directory.expand(batch.context)
        if self.current_directory is not None:
            current = await self.current_directory.expand(batch.context)
        return home, current

    async def prepare(self, batch: Batch) -> Prepared:
        """Return the content to send, header changes made.

        Raises TemporaryFailure or ExpansionError where a change cannot be known.
        """
        message = batch.message
        body: IBody = Bytes() if self.headers_only else message.body
        if self.body_only:
            return Prepared(None, body)
        first = batch.addresses[0]
        if (
            self.headers_add
            or self.headers_remove
            or first.headers_add
            or first.headers_remove
        ):
            header = await self._changed_header(batch, first)
        else:
            header = message.header.content
        if self.return_path_add or self.envelope_to_add or self.delivery_date_add:
            header = self._delivery_fields(batch) + header
        return Prepared(header, body)

    async def _changed_header(self, batch: Batch, first: RoutedAddress) -> bytes:
        removed = [name for text in first.headers_remove for name in _names(text)]
        for template in self.headers_remove:
            removed += _names(await _expand_or_empty(template, batch.context))
        texts = list(first.headers_add)
        for template in self.headers_add:
            texts.append(await _expand_or_empty(template, batch.context))
        fields = _without(batch.message.header, removed)
        added = b"".join(encode_fields(text) for text in texts)
        return b"".join(field.content for field in fields) + added

    def _delivery_fields(self, batch: Batch) -> bytes:
        lines = []
        if self.return_path_add:
            lines.append(f"Return-path: <{batch.return_path}>\r\n")
        if self.envelope_to_add:
            seen = dict.fromkeys(
                address.recipient.address.text for address in batch.addresses
            )
            joined = ",\r\n ".join(seen)
            lines.append(f"Envelope-to: {joined}\r\n")
        if self.delivery_date_add:
            lines.append(f"Delivery-date: {mail_date(batch.context.site.clock())}\r\n")
        return "".join(lines).encode("utf-8", "surrogateescape")


async def _expand_or_empty(template: Any, context: Context) -> str:
    try:
        text: str = await template.expand(context)
    except ForcedFailure:
        return ""
    return text


def _names(text: str) -> list[str]:
    return [name for part in text.split(":") if (name := part.strip().lower())]


def _without(header: HeaderSection, removed: list[str]) -> list[HeaderField]:
    if not removed:
        return header.fields
    exact = frozenset(removed)
    starts = tuple(name[:-1] for name in removed if name.endswith("*"))
    return [
        field
        for field in header.fields
        if (name := field.name.lower()) not in exact
        and not (starts and name.startswith(starts))
    ]


def encode_fields(text: str) -> bytes:
    """Return the octets of added fields: CRLF line ends, no empty line inside.

    A line that is neither a field nor the continuation of one is left out, since it
    would end the header section.
    """
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line.strip():
            continue
        folded = line[0] in " \t"
        name = line.partition(":")[0].rstrip(" \t")
        is_field = ":" in line and name.isascii() and name.isprintable()
        if (folded and lines) or (not folded and is_field and " " not in name):
            lines.append(line + "\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def mail_date(now: float) -> str:
    """Return a date and time as header fields have it (RFC 5322, section 3.3)."""
    return time.strftime("%a, %d %b %Y %H:%M:%S %z", time.localtime(now))
