"""Whole conversations with the server, each in a file of ``conversations/``.

A file begins with its claim, in lines with ``#``.  Then come, in any number:

``option:`` and ``acl:``
    a line of the configuration, in the main section or among the ACLs;
``fed:``
    the ways in which the input is cut, of those in ``FEEDS``, where not all apply;
``S:`` and ``C:``
    what server and client say.  ``C:`` may hold escapes (``\\n``, ``\\x00``); a CRLF
    follows unless the line ends in ``\\c``.  ``@9@`` stands for nine letters.  In
    ``S:`` a ``*`` stands for anything;
``TLS:``
    the handshake is over;
``hangs up:``
    the client closes the connection;
``recipient:``
    an address, and ``fail`` or ``defer``: what verifying it gives, instead of ``ok``;
``closed:``
    the server closes; otherwise it must not have closed;
``message:``
    a message that was accepted, as ``sender > recipients``, and then ``content:``,
    the lines of its content as it came (the Received: field is left out);
``log:``
    a line that the main log has, with ``*`` for anything;
``no log:``
    a pattern that no line of the main log fits;
``panic:``
    a line that the panic log has; it must have no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.log import printable
from mta.message import Message
from mta.testing import FakeVerification
from tests.reception.serving import Client, PretendedTLS, Server

FILES = sorted(Path(__file__).with_name("conversations").glob("*.txt"))
FEEDS = ("blocks", "octets", "pipelined", "waiting")


@dataclass
class Conversation:
    """A conversation as a file tells it; a block is what one side says at a time."""

    options: list[str] = field(default_factory=list)
    acls: list[str] = field(default_factory=list)
    feeds: tuple[str, ...] = FEEDS
    blocks: list[tuple[str, list[str]]] = field(default_factory=list)
    is_closed: bool = False
    messages: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    panics: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Conversation:
        """Return what a file tells."""
        found = cls()
        for line in path.read_text("utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            name, colon, text = line.partition(":")
            assert colon, f"{path.name}: {line}"
            text = re.sub("@([0-9]+)@", lambda m: "x" * int(m[1]), text)
            found.add(name, text.removeprefix(" "))
        return found

    def add(self, name: str, text: str) -> None:
        """Add what one line tells."""
        if name in ("S", "C", "TLS", "hangs up"):
            if not self.blocks or self.blocks[-1][0] != name:
                self.blocks.append((name, []))
            self.blocks[-1][1].append(text)
        elif name == "fed":
            self.feeds = tuple(text.split())
            assert set(self.feeds) <= set(FEEDS), text
        elif name == "closed":
            self.is_closed = True
        elif name == "content":
            self.messages[-1] += f"\n{text}"
        else:
            lists = {
                "option": self.options,
                "acl": self.acls,
                "message": self.messages,
                "log": self.logs,
                "no log": self.absent,
                "panic": self.panics,
                "recipient": self.recipients,
            }
            lists[name].append(text)


def octets_of(lines: list[str]) -> bytes:
    """Return what the client sends for the lines of a block."""
    found = b""
    for line in lines:
        octets = (
            line.removesuffix("\\c")
            .encode("utf-8")
            .decode("unicode_escape")
            .encode("latin-1")
        )
        found += octets if line.endswith("\\c") else octets + b"\r\n"
    return found


def pattern_of(lines: list[str]) -> str:
    """Return the pattern of lines in which ``*`` stands for anything."""
    pieces = "\n".join(lines).split("*")
    return "[^\n]*".join(re.escape(piece) for piece in pieces)


def told(message: Message) -> str:
    """Return an accepted message as files show it."""
    recipients = " ".join(r.address.text for r in message.recipients)
    header = re.sub(
        rb"\AReceived:.*?\n(?![ \t])", b"", message.header.content, flags=16
    )
    content = header + b"\r\n" + (message.body.inline or b"")
    text = content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    text = text.replace("\0", "\\x00")
    return f"{message.sender.text} > {recipients}\n{text}".rstrip("\n")


class ConversationCase(SynchronousTestCase):
    """Plays a conversation; each file becomes a method for each way to cut."""

    maxDiff = None

    def play(self, path: Path, feed: str) -> None:
        """Play a file's conversation, the input cut in one of the ways."""
        conversation = Conversation.read(path)
        options = list(conversation.options)
        if feed in ("pipelined", "waiting"):
            options.append("smtp_enforce_sync = false")
        server = Server(
            "\n".join(options),
            "\n".join(conversation.acls),
            tls=PretendedTLS(),
            selectors="smtp_connection smtp_syntax_error smtp_protocol_error "
            "smtp_incomplete_transaction size_reject smtp_no_mail",
        )
        if feed == "waiting":
            server.store.delay = 1
        for line in conversation.recipients:
            address, outcome = line.split()
            server.verifier.recipients[address] = FakeVerification(outcome)
        said = self.talk(server, server.connect(), conversation, feed)
        expected = [
            line for who, block in conversation.blocks if who == "S" for line in block
        ]
        text = said.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        if re.fullmatch(pattern_of([*expected, ""]), text) is None:
            self.assertEqual("\n".join([*expected, ""]), text)
        self.check(server, conversation)

    def talk(
        self, server: Server, client: Client, conversation: Conversation, feed: str
    ) -> bytes:
        """Say the client's part; return what the server said."""
        said = b""
        everything = b"".join(
            octets_of(b) for who, b in conversation.blocks if who == "C"
        )
        if feed in ("pipelined", "waiting"):
            said = client.says(everything)
            for _ in range(20):
                server.clock.advance(1)
                said += client.transport.take()
        else:
            for number, (who, block) in enumerate(conversation.blocks):
                if who == "TLS":
                    self.assertIsNotNone(client.transport.tls)
                    client.protocol.handshakeCompleted()
                elif who == "hangs up":
                    client.hang_up()
                elif who == "C":
                    octets = octets_of(block)
                    step = 1 if feed == "octets" else len(octets)
                    for start in range(0, len(octets), step):
                        client.send(octets[start : start + step])
                said += client.transport.take()
                self.check_progress(conversation.blocks[: number + 1], said)
        self.assertEqual(conversation.is_closed, client.transport.is_closed)
        if "hangs up" not in [who for who, _ in conversation.blocks]:
            client.hang_up()
        return said

    def check_progress(self, blocks: list[tuple[str, list[str]]], said: bytes) -> None:
        """Nothing is said before its turn, and all of it when its turn is over."""
        if blocks[-1][0] != "S":
            return
        lines = sum(len(block) for who, block in blocks if who == "S")
        self.assertEqual(lines, said.count(b"\n"), said.decode("utf-8", "replace"))

    def check(self, server: Server, conversation: Conversation) -> None:
        """The spool and the logs have what they must, and nobody panicked."""
        panics = "\n".join(server.panics)
        if re.fullmatch(pattern_of(conversation.panics), panics) is None:
            self.assertEqual("\n".join(conversation.panics), panics)
        self.assertEqual(
            conversation.messages, [told(m) for m in server.store.messages]
        )
        logged = [printable(line) for line in server.logs.lines]
        for line in conversation.logs:
            if not any(map(re.compile(pattern_of([line])).fullmatch, logged)):
                self.fail(f"no log line {line!r} among {logged}")
        for line in conversation.absent:
            found = filter(re.compile(pattern_of([line])).fullmatch, logged)
            self.assertEqual([], list(found))
        self.assertEqual(0, server.connections.count)


def _method(path: Path, feed: str) -> Callable[[ConversationCase], None]:
    def test(self: ConversationCase) -> None:
        self.play(path, feed)

    claim = [
        line[1:].strip() for line in path.read_text().splitlines() if line[:1] == "#"
    ]
    test.__doc__ = " ".join(claim)
    return test


class ConversationTests(ConversationCase):
    """Every conversation, its input cut in every way."""


for _path in FILES:
    for _feed in Conversation.read(_path).feeds:
        _name = f"test_{_path.stem}_{_feed}"
        setattr(ConversationTests, _name, _method(_path, _feed))
