"""Messages that do not come by SMTP: from a local caller, on standard input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mta.acl.header_addresses import parse_address_list
from mta.address import NULL_PATH, Address, AddressError
from mta.connection import Connection
from mta.errors import MTAError
from mta.expand.context import Site
from mta.message import HeaderSection, Message, Recipient
from mta.options import Boolean, Configurable, Option
from mta.reception.acceptance import Acceptance
from mta.reception.fix_ups import Originator
from mta.reception.transaction import Decision, Transaction
from mta.taint import Tainted

CHUNK = 65536
_FROM_LINE = re.compile(rb">?From ([^\s]+) +[^\n]*\n")


class SubmissionOptions(Configurable):
    """How messages from standard input are read."""

    extract_addresses_remove_arguments = Option(
        Boolean,
        "true",
        "With -t, addresses given as arguments are taken out of the recipients; "
        "else they are added.",
    )


class NoRecipientsError(MTAError):
    """There is nobody to send the message to."""


class BadAddressError(MTAError):
    """A recipient's address, or a field with one, cannot be understood."""


class TooLargeError(MTAError):
    """The message is larger than message_size_limit."""


class IStartPolicy(Protocol):
    """Who is told that a local message begins (``mta.reception.policy``)."""

    async def not_smtp_start(self, transaction: Transaction) -> Decision: ...


@dataclass(slots=True)
class Request:
    """What the caller asks for.

    ``sender`` is qualified, or None where the message's own From_ line may say it.
    ``recipients`` are texts with one or more addresses each.  ``extract`` takes
    recipients from To:, Cc: and Bcc: (``-t``).  ``dot_ends``: a lone dot ends the
    message.  Without ``fix_up`` the header section stays as it is.
    """

    connection: Connection
    originator: Originator
    sender: Address
    recipients: list[str] = field(default_factory=list)
    extract: bool = False
    dot_ends: bool = True
    queue_only: bool = False
    qualify: bool = True
    fix_up: bool = True


class LocalInput:
    """What a local program writes: lines that end with LF or CRLF, made CRLF.

    A CR elsewhere ends a line too, so that no bare one goes out.
    """

    def __init__(self, read: Callable[[int], bytes], *, dot_ends: bool) -> None:
        self._lines = _lines(read, dot_ends)
        self._rest: list[bytes] = []

    def header(self, limit: int) -> bytes:
        """Return the header section, empty line not included; LF line ends.

        What is no field begins the body.  ``limit`` bounds what is looked at.
        """
        found: list[bytes] = []
        size = 0
        for line in self._lines:
            size += len(line)
            if line == b"\n" or size > limit:
                self._rest = [line]
                break
            folded = line[:1] in b" \t" and bool(found)
            is_field = folded or re.match(rb"[!-9;-~]+[ \t]*:", line)
            if not is_field and (found or not _FROM_LINE.match(line)):
                self._rest = [b"\n", line]
                break
            found.append(line)
        return b"".join(found)

    def body(self) -> Iterator[bytes]:
        """Give what follows the header section, with CRLF, in large pieces."""
        gathered: list[bytes] = self._rest
        size = 0
        for line in self._lines:
            gathered.append(line)
            size += len(line)
            if size >= CHUNK:
                yield b"".join(gathered).replace(b"\n", b"\r\n")
                gathered, size = [], 0
        if gathered:
            yield b"".join(gathered).replace(b"\n", b"\r\n")


def _lines(read: Callable[[int], bytes], dot_ends: bool) -> Iterator[bytes]:
    """Give lines that end with LF; a line without an end gets one."""
    rest = b""
    while True:
        octets = read(CHUNK)
        block = rest + octets
        # A CR at the very end may be half of a CRLF.
        held = b"\r" if octets and block.endswith(b"\r") else b""
        block = block[: len(block) - len(held)]
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = block.split(b"\n")
        rest = lines.pop() + held
        for line in lines:
            if dot_ends and line == b".":
                return
            yield line + b"\n"
        if not octets:
            if rest and not (dot_ends and rest == b"."):
                yield rest + b"\n"
            return


class LocalSubmission:
    """Takes one message at a time from a local caller into the spool.

    ``size_limit`` is in octets, 0 for none.
    """

    def __init__(
        self,
        *,
        acceptance: Acceptance,
        policy: IStartPolicy,
        site: Site,
        options: SubmissionOptions,
        size_limit: int = 0,
    ) -> None:
        self._size_limit = size_limit
        self._acceptance = acceptance
        self._policy = policy
        self._site = site
        self._options = options

    async def submit(
        self, request: Request, read: Callable[[int], bytes]
    ) -> tuple[Message, Decision]:
        """Accept or refuse a message; its id is in the message.

        Raises NoRecipientsError, BadAddressError, TooLargeError; ``read`` is called
        for octets until it gives none.
        """
        content = LocalInput(read, dot_ends=request.dot_ends)
        header = content.header(self._acceptance.options.header_maxsize)
        sender, header = _without_from_line(request, header)
        section = HeaderSection(header.replace(b"\n", b"\r\n"))
        message = Message(sender=sender, queue_only=request.queue_only)
        transaction = Transaction(self._site, request.connection, message)
        transaction.controls.suppress_local_fixups = not request.fix_up
        message.recipients = [
            Recipient(address) for address in self._recipients(request, section)
        ]
        if not message.recipients:
            raise NoRecipientsError("no recipient addresses")
        await self._policy.not_smtp_start(transaction)
        sink = self._acceptance.begin(transaction, request.originator)
        sink.write(section.content)
        for octets in content.body():
            sink.write(octets)
            if 0 < self._size_limit < sink.size:
                sink.abandon()
                raise TooLargeError(
                    f"message too big: maximum is {self._size_limit} octets"
                )
            if sink.is_behind:
                await sink.when_ready()
        return message, await sink.finish()

    def _recipients(self, request: Request, section: HeaderSection) -> list[Address]:
        given = [address for text in request.recipients for address in _parsed(text)]
        found = given
        if request.extract:
            found = _extracted(section)
            if self._options.extract_addresses_remove_arguments:
                unwanted = {self._qualified(address).key for address in given}
                found = [a for a in found if self._qualified(a).key not in unwanted]
            else:
                found += given
        unique: dict[str, Address] = {}
        for address in found:
            qualified = self._qualified(address) if request.qualify else address
            unique.setdefault(qualified.key, qualified)
        return list(unique.values())

    def _qualified(self, address: Address) -> Address:
        if address.domain:
            return address
        return address._replace(domain=self._site.qualify_recipient)


def _parsed(text: str) -> list[Address]:
    try:
        return parse_address_list(Tainted(text))
    except AddressError as error:
        raise BadAddressError(f"{text}: {error}") from error


def _extracted(section: HeaderSection) -> list[Address]:
    """Return the recipients that a header section names; Bcc: fields go."""
    resent = any(f.name.lower().startswith("resent-") for f in section.fields)
    prefix = "Resent-" if resent else ""
    found: list[Address] = []
    for name in ("To", "Cc", "Bcc"):
        for one in section.named(prefix + name):
            found += _parsed(one.value.decode("utf-8", "surrogateescape"))
    section.remove(f"{prefix}Bcc")
    return found


def _without_from_line(request: Request, header: bytes) -> tuple[Address, bytes]:
    """Drop a From_ line; a trusted caller's may name the sender (Exim chapter 47)."""
    match = _FROM_LINE.match(header)
    if match is None:
        return request.sender, header
    sender = request.sender
    if request.originator.is_trusted and not request.originator.sender_given:
        try:
            text = match[1].decode("utf-8", "surrogateescape")
            sender = parse_address_list(Tainted(text))[0]
        except (AddressError, IndexError):
            sender = request.sender
    return sender or NULL_PATH, header[match.end() :]
