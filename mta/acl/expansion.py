"""ACLs inside of expansions: ``${acl{name}{argument}...}`` (Exim chapter 11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mta.acl.effects import Controls
from mta.acl.evaluate import ACLs, run_nested
from mta.acl.header_changes import HeaderChanges
from mta.acl.registry import Phase
from mta.acl.run import ACLError, ACLOutcome, ACLRun, SenderFailure
from mta.connection import Connection
from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.interfaces import ILogs
from mta.message import Message


@dataclass(slots=True, eq=False)
class _Delivery:
    """What an ACL sees that is run where no client is being served."""

    connection: Connection
    message: Message | None
    controls: Controls = field(default_factory=Controls)
    header_changes: HeaderChanges = field(default_factory=HeaderChanges)
    verifications: dict[tuple[object, ...], Any] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)
    sender_failure: SenderFailure | None = None
    connection_rates: dict[str, float] = field(default_factory=dict)
    message_rates: dict[str, float] = field(default_factory=dict)
    flush: Callable[[], None] | None = None

    def early_message(self) -> Message:
        """Return the message that is delivered."""
        if self.message is None:
            self.message = Message(connection=self.connection)
        return self.message


@dataclass(frozen=True, slots=True)
class ExpansionACLs:
    """Runs ACLs for expansions; an instance is what ``Site.run_acl`` holds.

    ``sleep`` serves the modifier ``delay``.
    """

    acls: ACLs
    logs: ILogs
    sleep: Callable[[float], Awaitable[object]] | None = None

    async def __call__(
        self, context: Context, name: str, arguments: list[str]
    ) -> tuple[bool, str]:
        """Return whether an ACL accepts, and its message.

        Raises TemporaryFailure where it defers, ExpansionError where it cannot be
        evaluated.
        """
        run: ACLRun = context.acl_run or self._new_run(context)
        saved = run.message, run.log_message, run.show_details
        outer, run.context = run.context, context
        try:
            outcome = await run_nested(name, arguments, run)
            text = run.message
        except ACLError as error:
            raise ExpansionError(str(error)) from error
        finally:
            run.context = outer
            run.message, run.log_message, run.show_details = saved
        if outcome is ACLOutcome.DEFER:
            raise TemporaryFailure(text or f'the ACL "{name}" gave a defer')
        return outcome in (ACLOutcome.ACCEPT, ACLOutcome.DISCARD), text

    def _new_run(self, context: Context) -> ACLRun:
        subject = _Delivery(context.connection, context.message)
        return ACLRun(
            Phase.EXPANSION,
            subject,
            context,
            self.acls,
            self.logs,
            sleep=self.sleep,
            recipient=context.address,
        )
