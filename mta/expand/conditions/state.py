"""Conditions on variables, files, passwords, ACLs and the delivery in hand."""

from __future__ import annotations

import os

from mta.errors import ExpansionError
from mta.expand.acl_call import ACLCall
from mta.expand.context import Context
from mta.expand.headers import HeaderText
from mta.expand.nodes import Node, Test, UndefinedVariable
from mta.expand.passwords import matches_encrypted
from mta.expand.registry import expansion_condition
from mta.expand.syntax import Reader
from mta.taint import untainted


@expansion_condition("def", reads=True)
def is_defined(reader: Reader) -> Test:
    """True for a variable that is not empty, and for a header field that exists."""
    if not reader.accept(":"):
        raise reader.error('":" expected after "def"')
    return DefinedTest(reader.variable())


class DefinedTest(Test):
    """Whether a variable has a value."""

    __slots__ = ("node", "waits")
    sets = False

    def __init__(self, node: Node) -> None:
        self.node = node
        self.waits = node.waits

    def now(self, context: Context) -> bool:
        if isinstance(self.node, HeaderText):
            return self.node.exists(context)
        try:
            return self.node.now(context) != ""
        except UndefinedVariable:
            return False

    async def later(self, context: Context) -> bool:
        if not self.waits:
            return self.now(context)
        return await self.node.later(context) != ""


@expansion_condition("acl", reads=True)
def acl(reader: Reader) -> Test:
    """True where an ACL accepts; its message is then ``$value``."""
    reader.expect("{", 'after "acl"')
    arguments = reader.strings(1, 10, "acl")
    reader.close("acl")
    return ACLTest(ACLCall(arguments))


class ACLTest(Test):
    """Whether an ACL accepts."""

    __slots__ = ("call",)
    waits = True
    sets = True

    def __init__(self, call: ACLCall) -> None:
        self.call = call

    async def later(self, context: Context) -> bool:
        accepted, text = await self.call.run(context)
        context.values["value"] = text
        return accepted


@expansion_condition("exists", arguments=1)
def exists(path: str) -> bool:
    """True where a file or directory exists."""
    path = untainted(path, "filename")
    if not path.startswith("/"):
        raise ExpansionError(f'"{path}" is not an absolute path')
    try:
        return os.path.exists(path)
    except ValueError:
        return False


@expansion_condition("crypteq", arguments=2)
def crypteq(password: str, encrypted: str) -> bool:
    """True where a password, once encrypted, is the second string."""
    return matches_encrypted(password, encrypted)


@expansion_condition("first_delivery", context=True)
def first_delivery(context: Context) -> bool:
    """True in the first delivery attempt of a message."""
    return context.first_delivery


@expansion_condition("queue_running", context=True)
def queue_running(context: Context) -> bool:
    """True where a queue run began the delivery attempt."""
    return context.queue_running
