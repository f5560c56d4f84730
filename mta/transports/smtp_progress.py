"""Which addresses of a batch are settled, and what the others met so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mta.recipient import Outcome, RoutedAddress
from mta.smtp.client_transaction import ClientTransaction
from mta.smtp.reply import Reply
from mta.tls.verdict import TLSVerdict
from mta.transports.base import Batch
from mta.transports.smtp_connections import NOTHING_PROVED, Link
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_outcomes import OutcomeMaker, verdicts
from mta.transports.smtp_problems import Problem, Scope, session_problem
from mta.transports.smtp_verdicts import VerdictNotes

if TYPE_CHECKING:
    from mta.smtp.client_failure import SessionFailure


class Progress:
    """The addresses of one batch on their way over the hosts.

    ``pending`` go to the next host; ``awaiting`` has, by the identity of the
    address, what the last host did to each of them.  ``more_hosts`` says whether
    there is another one.  ``notes`` are for the history of TLS.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.outcomes = OutcomeMaker(batch.context.site.logs, batch.message.message_id)
        self.pending: list[RoutedAddress] = list(batch.addresses)
        self.settled: list[Outcome] = []
        self.awaiting: dict[int, Outcome] = {}
        self.more_hosts = False
        self.notes = VerdictNotes(batch)

    @property
    def all_outcomes(self) -> list[Outcome]:
        """What became of every address, the settled ones first."""
        return [*self.settled, *self.awaiting.values()]

    def take_replies(
        self,
        addresses: Sequence[RoutedAddress],
        transaction: ClientTransaction,
        link: Link,
        settings: HostSettings,
        failure: SessionFailure | None,
    ) -> None:
        """Note what a transaction, ended or broken off, means for its addresses."""
        fields = self.outcomes.fields(link, transaction)
        recorded: set[Problem] = set()
        taken: list[RoutedAddress] = []
        for address, verdict in zip(
            addresses, verdicts(transaction, settings, failure), strict=True
        ):
            if isinstance(verdict, Reply):
                taken.append(address)
                made = self.outcomes.delivered
                self._settle(address, made(address, verdict, link, settings, fields))
            else:
                self._meet(address, verdict, settings, fields)
                if verdict not in recorded:
                    recorded.add(verdict)
                    self._record(verdict, settings, address)
        self.notes.delivered(settings.host, taken, link.verdict)
        if failure is not None:
            self._session_ended(addresses, settings, failure)
        hints = self.batch.hints
        scopes = {problem.scope for problem in recorded}
        if hints is not None and Scope.HOST not in scopes:
            hints.succeeded(settings.retry_key)
            if Scope.MESSAGE not in scopes:
                hints.succeeded(settings.message_key(self.batch.message.message_id))

    def host_failed(
        self,
        settings: HostSettings,
        problem: Problem,
        verdict: TLSVerdict = NOTHING_PROVED,
    ) -> None:
        """Note that no transaction could be begun with a host, what TLS there was."""
        self.notes.failed(settings.host, self.pending, verdict)
        fields = self.outcomes.verdict_fields(verdict)
        if problem.scope is Scope.PERMANENT and self.more_hosts:
            # Only the last host's refusal of every session fails the addresses.
            problem = replace(problem, scope=Scope.HOST)
        address = self.pending[0]
        for one in list(self.pending):
            self._meet(one, problem, settings, fields)
        self._record(problem, settings, address)

    def _session_ended(
        self,
        addresses: Sequence[RoutedAddress],
        settings: HostSettings,
        failure: SessionFailure,
    ) -> None:
        """Note that the addresses of later transactions were not asked for."""
        asked = {id(address) for address in addresses}
        ended = session_problem(failure, settings.host)
        if ended.scope is Scope.PERMANENT:
            # It refused the message for others.
            ended = replace(ended, scope=Scope.MESSAGE)
        for address in self.pending:
            if id(address) not in asked:
                self._meet(address, ended, settings)

    def untried(self, address: RoutedAddress, problem: Problem, key: str) -> None:
        """Note that there was no host to bring an address to."""
        self._meet(address, problem, None)
        if id(address) in self.awaiting:
            self.awaiting[id(address)].retry_key = key

    def refuse(
        self,
        problem: Problem,
        settings: HostSettings | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        """Settle every address that is left with one problem."""
        made = self.outcomes.undelivered
        for address in list(self.pending):
            self._settle(address, made(address, problem, settings, fields))

    def log(self, text: str) -> None:
        """Write a line to the main log."""
        logs = self.batch.context.site.logs
        if logs is not None:
            logs.main(text, self.batch.message.message_id)

    def _settle(self, address: RoutedAddress, outcome: Outcome) -> None:
        self.settled.append(outcome)
        self.awaiting.pop(id(address), None)
        self.pending = [one for one in self.pending if one is not address]

    def _meet(
        self,
        address: RoutedAddress,
        problem: Problem,
        settings: HostSettings | None,
        fields: Sequence[str] = (),
    ) -> None:
        outcome = self.outcomes.undelivered(address, problem, settings, fields)
        if problem.scope is Scope.PERMANENT:
            self._settle(address, outcome)
        else:
            self.awaiting[id(address)] = outcome

    def _record(
        self, problem: Problem, settings: HostSettings, address: RoutedAddress
    ) -> None:
        """Keep the hint, and write the line about the host.

        A problem of message or recipient is only logged where the address goes on
        to another host; else its ``==`` line says the same.
        """
        if problem.scope is Scope.PERMANENT:
            return
        if problem.scope is Scope.HOST or self.more_hosts:
            self.log(f"H={settings.host}{problem.log_text}")
        hints = self.batch.hints
        if hints is None or problem.scope in (Scope.RECIPIENT, Scope.DEMAND):
            return
        key = settings.retry_key
        if problem.scope is Scope.MESSAGE:
            key = settings.message_key(self.batch.message.message_id)
        hints.failed(
            key,
            domain=address.domain,
            host=settings.host.name,
            error_name=problem.name,
            sender=self.batch.message.sender.text,
            text=problem.text or problem.words,
        )
