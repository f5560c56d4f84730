"""Run the ACL of a phase, and turn its verdict into a reply (Exim chapter 43)."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable

from mta.acl.evaluate import ACLs, run_acl
from mta.acl.log_text import host_and_ident
from mta.acl.registry import Phase
from mta.acl.run import ACLError, ACLOutcome, ACLRun, ACLVerdict
from mta.acl.syntax import ACL
from mta.address import Address, AddressError, parse_address
from mta.errors import ForcedFailure, MTAError, TemporaryFailure
from mta.expand.context import Context, Site
from mta.interfaces import IAddressVerifier, ILogs, ITemplate
from mta.message import Recipient
from mta.reception.acl_options import ACLOptions, bound_acls
from mta.reception.rejection import (
    LOCAL_PROBLEM,
    coded_reply,
    command_argument,
    first_line,
    log_refusal,
    refusal,
)
from mta.reception.transaction import Decision, Transaction
from mta.recipient import RoutedAddress
from mta.smtp.reply import Reply, reply
from mta.taint import is_tainted

__all__ = ["ACLOptions", "Policy"]

_YES = Decision(True)
_TRY_LATER = Decision(False, Reply(451, (LOCAL_PROBLEM,)))
# Without an ACL these are refused, everything else is allowed.
_REFUSED_UNSET = frozenset((Phase.RCPT, Phase.VRFY, Phase.EXPN, Phase.ETRN))
_DENIED = ACLVerdict(ACLOutcome.DENY)
_ACCEPTED = ACLVerdict(ACLOutcome.ACCEPT)
_POSITIVE = (ACLOutcome.ACCEPT, ACLOutcome.DISCARD)
_ACCEPT_CODES = {
    Phase.CONNECT: 220,
    Phase.HELO: 250,
    Phase.MAIL: 250,
    Phase.RCPT: 250,
    Phase.PREDATA: 354,
    Phase.DATA: 250,
    Phase.QUIT: 221,
}


class Policy:
    """Decides on every step of a session and on every message, by the ACLs.

    No method raises: what goes wrong is a line in the panic log and a 451.  Refusals
    are logged here.  ``sleep`` waits for some seconds.  ``deliver_for`` starts the
    deliveries that ETRN asks for and says whether it did.
    """

    def __init__(
        self,
        *,
        site: Site,
        options: ACLOptions,
        acls: ACLs,
        verifier: IAddressVerifier | None,
        logs: ILogs,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        deliver_for: Callable[[str], bool] | None = None,
    ) -> None:
        self._site = site
        self._acls = acls
        self._verifier = verifier
        self._logs = logs
        self._sleep = sleep
        self._deliver_for = deliver_for
        self._error_details = options.smtp_return_error_details
        self._bound = bound_acls(options, acls)

    def defines(self, phase: Phase) -> bool:
        """Return whether a phase has an ACL, be it empty: its command is advertised."""
        return phase in self._bound

    async def connected(self, transaction: Transaction) -> Decision:
        """Say whether a connection is served; a reply replaces the greeting."""
        decision = await self._decide(transaction, Phase.CONNECT)
        if decision.accepted:
            return decision
        return Decision(False, decision.reply, close=True)

    async def helo(self, transaction: Transaction) -> Decision:
        """Say whether a name in EHLO or HELO is taken; a reply has one line."""
        decision = await self._decide(transaction, Phase.HELO)
        if decision.accepted and decision.reply and len(decision.reply.lines) > 1:
            text = "\n".join(decision.reply.lines)
            self._logs.panic(f"EHLO/HELO response must not contain newlines: {text}")
            first = Reply(decision.reply.code, decision.reply.lines[:1])
            return Decision(True, first)
        return decision

    async def starttls(self, transaction: Transaction) -> Decision:
        """Say whether TLS may begin."""
        return await self._decide(transaction, Phase.STARTTLS)

    async def auth(self, transaction: Transaction) -> Decision:
        """Say whether the client may authenticate."""
        return await self._decide(transaction, Phase.AUTH)

    async def mail(self, transaction: Transaction) -> Decision:
        """Say whether a sender is taken."""
        decision = await self._decide(transaction, Phase.MAIL)
        transaction.is_discarded = decision.discard
        transaction.discard_log_text = decision.log_text
        return decision

    async def mailauth(self, transaction: Transaction) -> Decision:
        """Say whether the AUTH parameter of MAIL is believed.

        Without an ACL only an authenticated client is.
        """
        if Phase.MAILAUTH not in self._bound:
            return Decision(bool(transaction.connection.authenticator))
        return await self._decide(transaction, Phase.MAILAUTH)

    async def rcpt(self, transaction: Transaction, recipient: Recipient) -> Decision:
        """Say whether a recipient is taken."""
        if transaction.is_discarded:
            self._log_discarded(transaction, "MAIL", transaction.discard_log_text)
            return Decision(True, discard=True)
        address = _routed(recipient)
        decision = await self._decide(transaction, Phase.RCPT, address)
        if decision.discard:
            self._log_discarded(transaction, "RCPT", decision.log_text)
        return decision

    async def predata(self, transaction: Transaction) -> Decision:
        """Say whether content may come by DATA."""
        return await self._decide(transaction, Phase.PREDATA)

    async def data(self, transaction: Transaction) -> Decision:
        """Say whether a message is taken, now that its content is there."""
        return await self._decide(transaction, Phase.DATA)

    async def vrfy(self, transaction: Transaction, argument: str) -> Decision:
        """Answer VRFY."""
        return await self._answer_address(transaction, Phase.VRFY, argument)

    async def expn(self, transaction: Transaction, argument: str) -> Decision:
        """Answer EXPN: with the address itself, since nobody is shown a list."""
        return await self._answer_address(transaction, Phase.EXPN, argument)

    async def etrn(self, transaction: Transaction, argument: str) -> Decision:
        """Start the deliveries that ETRN asks for."""
        argument = argument.strip()
        if self._logs.selects("etrn"):
            client = host_and_ident(transaction.connection, self._logs)
            client = client.removeprefix("H=")
            self._logs.main(f"ETRN {argument} received from {client}")
        decision = await self._decide(transaction, Phase.ETRN)
        if not decision.accepted:
            return decision
        if not argument.startswith("#"):
            return Decision(False, Reply(501, ("argument must begin with #",)))
        if self._deliver_for is None:
            return Decision(False, Reply(458, ("Unable to queue messages",)))
        if not self._deliver_for(argument[1:]):
            return Decision(False, Reply(458, (f"Already processing {argument}",)))
        return _YES

    async def quit(self, transaction: Transaction) -> Decision:
        """Let an ACL set the text of the reply to QUIT; it cannot refuse."""
        decision = await self._decide(transaction, Phase.QUIT)
        return Decision(True, decision.reply if decision.accepted else None)

    async def not_quit(self, transaction: Transaction, reason: str) -> Decision:
        """Tell an ACL that a session ends without QUIT."""
        if Phase.NOTQUIT in self._bound:
            transaction.values["smtp_notquit_reason"] = reason
            await self._decide(transaction, Phase.NOTQUIT)
        return _YES

    async def not_smtp_start(self, transaction: Transaction) -> Decision:
        """Tell an ACL that a message comes by no SMTP; it cannot refuse."""
        await self._decide(transaction, Phase.NOT_SMTP_START)
        return _YES

    async def not_smtp(self, transaction: Transaction) -> Decision:
        """Say whether a message that came by no SMTP is taken."""
        return await self._decide(transaction, Phase.NOT_SMTP)

    async def _decide(
        self,
        transaction: Transaction,
        phase: Phase,
        address: RoutedAddress | None = None,
    ) -> Decision:
        """Return the decision of a phase's ACL, whatever happens."""
        bound = self._bound.get(phase)
        if bound is None and phase not in _REFUSED_UNSET:
            return _YES
        try:
            run = self._run(transaction, phase, address)
            verdict = await self._verdict(bound, run)
            return self._decision(verdict, run, transaction)
        except Exception as error:
            self._panic(error, phase)
            return _TRY_LATER

    def _run(
        self, transaction: Transaction, phase: Phase, address: RoutedAddress | None
    ) -> ACLRun:
        return ACLRun(
            phase,
            transaction,
            transaction.context(address),
            self._acls,
            self._logs,
            self._verifier,
            self._sleep,
            address,
            self._error_details,
        )

    async def _verdict(self, bound: ACL | ITemplate | None, run: ACLRun) -> ACLVerdict:
        if bound is None:
            return _DENIED
        if isinstance(bound, ACL):
            return await run_acl(bound, run)
        try:
            text = await bound.expand(run.context)
        except ForcedFailure:
            return _ACCEPTED
        except TemporaryFailure as error:
            return ACLVerdict(ACLOutcome.DEFER, "", error.log_text)
        except MTAError as error:
            reason = f'failed to expand ACL string "{bound.text}": {error}'
            return ACLVerdict(ACLOutcome.ERROR, "", reason)
        if is_tainted(text):
            # The rule that lets a client write our ACLs wants mending at once.
            self._logs.panic(f'Tainted ACL "{text[:100]}" not permitted')
        return await run_acl(text, run)

    def _decision(
        self, verdict: ACLVerdict, run: ACLRun, transaction: Transaction
    ) -> Decision:
        if verdict.outcome in _POSITIVE:
            return self._acceptance(verdict, run.phase)
        if run.phase in (Phase.QUIT, Phase.NOTQUIT, Phase.NOT_SMTP_START):
            if verdict.outcome is ACLOutcome.ERROR:
                name = run.phase.title
                self._logs.panic(
                    f"ACL for {name} returned ERROR{first_line(verdict.log_message)}"
                )
            return Decision(False)
        if run.phase is Phase.NOT_SMTP:
            return self._refused_submission(verdict, run)
        answer = refusal(verdict, run, transaction)
        log_refusal(verdict, run)
        return Decision(False, answer, verdict.outcome is ACLOutcome.DROP)

    def _acceptance(self, verdict: ACLVerdict, phase: Phase) -> Decision:
        discard = verdict.outcome is ACLOutcome.DISCARD
        code = _ACCEPT_CODES.get(phase)
        if not verdict.message or code is None:
            if not discard:
                return _YES
            return Decision(True, discard=True, log_text=verdict.log_message)
        if phase is Phase.QUIT:
            answer = reply(code, verdict.message)
        else:
            answer = coded_reply(code, verdict.message, self._logs)
        return Decision(True, answer, False, discard, verdict.log_message)

    def _refused_submission(self, verdict: ACLVerdict, run: ACLRun) -> Decision:
        message = run.subject.early_message()
        text = f"F=<{message.sender.text}> rejected by non-SMTP ACL"
        self._logs.reject(text + first_line(verdict.log_message), run.message_id)
        answer = verdict.message or "local configuration problem"
        return Decision(False, coded_reply(550, answer, self._logs))

    def _log_discarded(
        self, transaction: Transaction, name: str, log_text: str
    ) -> None:
        connection = transaction.connection
        message = transaction.early_message()
        argument = command_argument(connection.command_argument)
        self._logs.reject(
            f"{host_and_ident(connection, self._logs)} F=<{message.sender.text}> "
            f"RCPT {argument}: discarded by {name} ACL{first_line(log_text)}",
            message.message_id,
        )

    async def _answer_address(
        self, transaction: Transaction, phase: Phase, argument: str
    ) -> Decision:
        try:
            address = parse_address(argument.strip().removeprefix("<").rstrip(">"))
        except AddressError as error:
            address, fault = Address("", ""), str(error)
        routed = _routed(Recipient(address))
        decision = await self._decide(transaction, phase, routed)
        if not decision.accepted:
            return decision
        if not address:
            return Decision(False, Reply(501, (fault,)))
        try:
            return await self._verified(address, phase, transaction.context(routed))
        except Exception as error:
            self._panic(error, phase)
            return _TRY_LATER

    async def _verified(
        self, address: Address, phase: Phase, context: Context
    ) -> Decision:
        if self._verifier is None:
            raise ACLError("there is nothing to verify addresses with")
        found = await self._verifier.verify_recipient(address, context)
        if found.outcome == "ok":
            ending = "" if phase is Phase.EXPN else " is deliverable"
            return Decision(True, Reply(250, (f"<{address.text}>{ending}",)))
        client = host_and_ident(context.connection, self._logs)
        self._logs.main(f"{phase.title} failed for {address.text} {client}")
        if found.outcome == "defer":
            text = f"Cannot resolve <{address.text}> at this time"
            code = 451
        else:
            text, code = f"<{address.text}> is not deliverable", 550
        if found.user_text:
            text = f"<{address.text}> {found.text}"
        return Decision(False, reply(code, text))

    def _panic(self, error: Exception, phase: Phase) -> None:
        """Say in the panic log what no one foresaw, and where it happened."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        self._logs.panic(
            f"error in {phase.title} ACL: {type(error).__name__}: {error}{place}"
        )


def _routed(recipient: Recipient) -> RoutedAddress:
    """Return a recipient as conditions see it: both parts in lower case."""
    local_part, domain = recipient.address
    return RoutedAddress(
        recipient.address,
        recipient,
        local_part=local_part.lower(),
        domain=domain.lower(),
    )
