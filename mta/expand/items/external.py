"""Items that reach outside: files, commands, ACLs; and tagged addresses."""

from __future__ import annotations

import os
import re
import stat

from mta.errors import ExpansionError
from mta.expand.acl_call import ACLCall
from mta.expand.choices import Branches, Saved
from mta.expand.context import Context
from mta.expand.nodes import Literal, Node, any_waits
from mta.expand.octets import octets_of, text_from
from mta.expand.quoting import command_words
from mta.expand.registry import item
from mta.expand.syntax import Reader, parse_template
from mta.taint import carry, untainted

FILE_LIMIT = 16 << 20
_OPTION = re.compile(r"[a-z]*")


@item("readfile", least=1, most=2)
def readfile(path: str, *line_end: str) -> str:
    """The content of a file, with its line ends replaced where one is given."""
    path = untainted(path, "filename")
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_LIMIT:
                raise ExpansionError(f'"{path}" is no regular file or too large')
            text = text_from(file.read(FILE_LIMIT))
    except (OSError, ValueError) as error:
        raise ExpansionError(f"failed to open {path}: {error}") from error
    return text.replace("\n", line_end[0]) if line_end else text


@item("acl", reads=True)
def acl(reader: Reader) -> Node:
    """The message of an ACL that accepts or denies."""
    node = ACLMessage(ACLCall(reader.strings(1, 10, "acl")))
    reader.close("acl")
    return node


class ACLMessage(Node):
    """The message that an ACL sets."""

    __slots__ = ("call",)
    waits = True

    def __init__(self, call: ACLCall) -> None:
        self.call = call

    async def later(self, context: Context) -> str:
        _, text = await self.call.run(context)
        return text


@item("run", reads=True)
def run(reader: Reader) -> Node:
    """The output of a command."""
    preexpand = reader.accept(",")
    if preexpand and reader.take(_OPTION) != "preexpand":
        raise reader.error('unknown option of "run"')
    reader.peek()
    start = reader.position + 1
    whole = reader.string('in "run"')
    words: list[Node] | None = None
    if not preexpand:
        raw = reader.text[start : reader.position - 1]
        try:
            texts = command_words(raw)
        except ExpansionError as error:
            raise reader.error(str(error)) from error
        words = [
            parse_template(text, reader.source, reader.language).node for text in texts
        ]
        if not words:
            raise reader.error('"run" needs a command')
    return Command(whole, words, reader.branches("run"))


class Command(Node):
    """A command that is run, and the choice after it.

    ``words`` is None where the command is split only when expanded.
    """

    __slots__ = ("branches", "whole", "words")
    waits = True

    def __init__(
        self, whole: Node, words: list[Node] | None, branches: Branches
    ) -> None:
        self.whole = whole
        self.words = words
        self.branches = branches

    async def later(self, context: Context) -> str:
        words = await self._expanded(context)
        if context.site.run_command is None:
            raise ExpansionError("no command can be run here")
        status, output = await context.site.run_command(words)
        # Unlike a looked-up value, these stay (Exim chapter 11, ``run``).
        context.values["runrc"] = str(status)
        context.values["value"] = output
        if status == 0:
            yes = self.branches.yes
            return output if yes is None else await yes.later(context)
        return await self.branches.no.later(context)

    async def _expanded(self, context: Context) -> list[str]:
        if self.words is None:
            whole = await self.whole.later(context)
            words = command_words(untainted(whole, "command line"))
        else:
            words = [await word.later(context) for word in self.words]
        if not words or not words[0]:
            raise ExpansionError('the command of "run" is empty')
        untainted(words[0], "command")
        return words


_TAGGED = re.compile(r"prvs=([0-9])([0-9]{3})([A-F0-9]{6})=(.+)@(.+)\Z", re.I | re.S)
_VALID_DAYS = 7


@item("prvs", least=2, most=3, context=True)
def prvs(context: Context, address: str, secret: str, *key_number: str) -> str:
    """An address with a tag that shows that we made it (bounce address tagging)."""
    local_part, at, domain = address.rpartition("@")
    number = key_number[0] if key_number else "0"
    if not at or not local_part or not domain:
        raise ExpansionError("prvs needs a qualified address")
    if not re.fullmatch(r"[0-9]", number):
        raise ExpansionError("the key number of prvs is one digit")
    day = f"{(_day(context) + _VALID_DAYS) % 1000:03d}"
    tag = _tag(address, secret, number, day)
    return f"prvs={number}{day}{tag}={local_part}@{domain}"


@item("prvscheck", reads=True)
def prvscheck(reader: Reader) -> Node:
    """The address in a tagged one; ``$prvscheck_result`` is 1 for a good tag."""
    address, *rest = reader.strings(2, 3, "prvscheck")
    reader.close("prvscheck")
    return TagCheck(address, rest[0], rest[1] if len(rest) > 1 else Literal(""))


class TagCheck(Node):
    """The check of a tagged address."""

    __slots__ = ("address", "result", "secret", "waits")

    def __init__(self, address: Node, secret: Node, result: Node) -> None:
        self.address = address
        self.secret = secret
        self.result = result
        self.waits = any_waits([address, secret, result])

    async def later(self, context: Context) -> str:
        address = await self.address.later(context)
        match = _TAGGED.match(address)
        if match is None:
            return ""
        plain = carry(f"{match[4]}@{match[5]}", address)
        saved = Saved(context, "prvscheck_address", "prvscheck_keynum")
        context.values["prvscheck_address"] = plain
        context.values["prvscheck_keynum"] = match[1]
        try:
            secret = await self.secret.later(context)
            good = _is_good(context, match, plain, secret)
            context.values["prvscheck_result"] = "1" if good else ""
            return await self.result.later(context) or plain
        finally:
            saved.restore()


def _is_good(context: Context, match: re.Match[str], address: str, secret: str) -> bool:
    days_left = (int(match[2]) - _day(context)) % 1000
    tag = _tag(address, secret, match[1], match[2])
    return tag == match[3].lower() and days_left <= _VALID_DAYS


def _day(context: Context) -> int:
    return int(context.site.clock()) // 86400


def _tag(address: str, secret: str, number: str, day: str) -> str:
    import hmac  # noqa: PLC0415 - start-up time

    text = octets_of(f"{number}{day}{address}")
    return hmac.new(octets_of(secret), text, "sha1").hexdigest()[:6]
