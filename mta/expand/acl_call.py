"""ACLs that expansions run."""

from __future__ import annotations

from mta.errors import ExpansionError, ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.nodes import Node


class ACLCall:
    """The name of an ACL and its arguments, before they are expanded."""

    __slots__ = ("arguments",)

    def __init__(self, arguments: list[Node]) -> None:
        self.arguments = arguments

    async def run(self, context: Context) -> tuple[bool, str]:
        """Return whether the ACL accepts, and its message.

        A "defer" is a forced failure.
        """
        name, *texts = [await argument.later(context) for argument in self.arguments]
        if context.site.run_acl is None:
            raise ExpansionError("no ACL can be run here")
        try:
            return await context.site.run_acl(context, name, texts)
        except TemporaryFailure as failure:
            raise ForcedFailure(f'ACL "{name}" deferred: {failure}') from failure
