"""Statements and a transaction to a verdict (Exim chapter 43)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mta.acl.log_text import host_and_ident
from mta.acl.registry import MESSAGE, Phase
from mta.acl.run import ACLError, ACLOutcome, ACLRun, ACLVerdict
from mta.acl.syntax import (
    ACL,
    DISCARD_PHASES,
    ACLLanguage,
    Statement,
    Step,
    Verb,
    wrong_phase,
)
from mta.errors import (
    ConfigurationError,
    ForcedFailure,
    MTAError,
    TemporaryFailure,
)
from mta.interfaces import ITemplate
from mta.taint import is_tainted

NESTING_LIMIT = 20
TEXTS_KEPT = 100

_ACCEPT, _DENY, _DEFER = ACLOutcome.ACCEPT, ACLOutcome.DENY, ACLOutcome.DEFER
_DROP, _DISCARD, _ERROR = ACLOutcome.DROP, ACLOutcome.DISCARD, ACLOutcome.ERROR
_IN_QUIT = (Phase.QUIT | Phase.NOTQUIT).value
_ARGUMENTS = ("acl_narg", *(f"acl_arg{number}" for number in range(1, 10)))

_INVERTED = {_ACCEPT: _DENY, _DENY: _ACCEPT, _DROP: _ACCEPT}


class ACLs:
    """The ACLs of a configuration, and those that options and files hold as text.

    A file is read once.
    """

    def __init__(
        self,
        named: Mapping[str, ACL],
        language: ACLLanguage,
        *,
        read: Callable[[str], str] | None = None,
    ) -> None:
        self.named = named
        self.language = language
        self._read = read or _read_file
        self._files: dict[str, ACL] = {}
        self._texts: dict[str, ACL] = {}

    def find(self, text: str) -> ACL:
        """Return the ACL that a name, a path or a text of statements stands for.

        Raises ACLError for a tainted text and for one that cannot be read.
        """
        text = text.strip()
        if is_tainted(text):
            raise ACLError(f'Tainted ACL "{text[:100]}" not permitted')
        acl = self.named.get(text)
        if acl is not None:
            return acl
        try:
            if text.startswith("/"):
                if text not in self._files:
                    content = self._read(text)
                    self._files[text] = self.language.parse_text(text, content, text)
                return self._files[text]
            if text not in self._texts:
                if len(self._texts) >= TEXTS_KEPT:
                    self._texts.clear()
                self._texts[text] = self.language.parse_text("inline", text)
            return self._texts[text]
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise ACLError(f'failed to open ACL file "{text}": {reason}') from error
        except ConfigurationError as error:
            raise ACLError(f"error in ACL: {error}") from error


def _read_file(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


async def run_acl(reference: ACL | str, run: ACLRun) -> ACLVerdict:
    """Return what an ACL says; it may be given as a name, a path or statements.

    Errors of the configuration and of look-ups are verdicts, ERROR and DEFER.
    """
    previous = run.context.acl_run
    run.context.acl_run = run
    try:
        acl = run.acls.find(reference) if isinstance(reference, str) else reference
        outcome = await _evaluate(acl, run)
        _check_outcome(outcome, run)
    except ACLError as error:
        return ACLVerdict(_ERROR, "", str(error))
    finally:
        run.context.acl_run = previous
    return ACLVerdict(outcome, run.message, run.log_message, run.show_details)


async def run_nested(name: str, arguments: list[str], run: ACLRun) -> ACLOutcome:
    """Return how another ACL ends that is run inside of one, with arguments.

    ``run.message`` and ``run.log_message`` are then the other ACL's.
    """
    if run.level >= NESTING_LIMIT:
        raise ACLError("ACL nested too deep: possible loop")
    values = run.context.values
    saved = {variable: values.pop(variable, None) for variable in _ARGUMENTS}
    values.update(zip(_ARGUMENTS, (str(len(arguments)), *arguments), strict=False))
    run.level += 1
    try:
        return await _evaluate(run.acls.find(name), run)
    finally:
        run.level -= 1
        for variable, value in saved.items():
            values.pop(variable, None)
            if value is not None:
                values[variable] = value


def _check_outcome(outcome: ACLOutcome, run: ACLRun) -> None:
    """Refuse an ending that a phase has no use for."""
    if outcome is _DISCARD and not run.phase & DISCARD_PHASES:
        raise ACLError(f'"discard" verb not allowed in {run.phase.title} ACL')
    if outcome is _DROP and run.phase is Phase.MAILAUTH:
        raise ACLError('"drop" verb not allowed in MAILAUTH ACL')


async def _evaluate(acl: ACL, run: ACLRun) -> ACLOutcome:
    """Go through the statements until one of them ends the ACL."""
    run.message = run.log_message = ""
    values = run.context.values
    for statement in acl.statements:
        run.message = run.log_message = ""
        run.show_details = False
        values.pop("acl_verify_message", None)
        outcome, after_endpass = await _test(statement, run)
        verb = statement.verb
        if verb.is_warning:
            _finish_warn(outcome, run)
            run.message = run.log_message = ""
            continue
        if outcome is _ACCEPT:
            ending = verb.when_true
        elif outcome is not _DENY and outcome is not _DROP:
            ending = outcome
        else:
            ending = outcome if verb.is_requirement or after_endpass else None
        if ending is None:
            continue
        if run.level == 0 and ending is not _ACCEPT and run.phase_bit & _IN_QUIT:
            raise ACLError(
                "QUIT or not-QUIT toplevel ACL may not fail "
                f"('{verb.word}' verb used incorrectly)"
            )
        if verb is Verb.DEFER and outcome is _ACCEPT:
            run.show_details = True
        return ending
    # What the last statement's condition said is the reason of this refusal.
    return _DENY


async def _test(statement: Statement, run: ACLRun) -> tuple[ACLOutcome, bool]:
    """Return what the conditions of a statement come to, and if past ``endpass``."""
    outcome = _ACCEPT
    message, log_message = statement.message, statement.log_message
    after_endpass = False
    bit = run.phase_bit
    for step in statement.steps:
        if not step.phases & bit:
            raise ACLError(wrong_phase(step, run.phase))
        try:
            result = await step.call(run, step.value)
        except MTAError as error:
            outcome = _outcome_of(error, step, run)
        else:
            if not step.is_condition:
                continue
            if result is True or result is False:
                outcome = _ACCEPT if result is not step.negated else _DENY
            else:
                outcome = _nested_outcome(result, step, statement.verb)
        if outcome is not _ACCEPT:
            message, log_message = step.message, step.log_message
            after_endpass = step.after_endpass
            break
    if outcome in statement.verb.speaks_on and (
        message or log_message or run.message or run.log_message
    ):
        await _use_messages(statement.verb, outcome, message, log_message, run)
    return outcome, after_endpass


def _outcome_of(error: MTAError, step: Step, run: ACLRun) -> ACLOutcome:
    """Return what a condition or modifier comes to that could not be finished.

    A forced failure counts as true, even with a negated condition.
    """
    if isinstance(error, ForcedFailure):
        return _ACCEPT
    if isinstance(error, TemporaryFailure):
        run.message = run.message or error.text
        run.log_message = run.log_message or error.log_text
        run.show_details = run.show_details or run.return_error_details
        return _DEFER
    if isinstance(error, ACLError):
        raise error
    raise ACLError(f"{step.source.option}: {error}") from error


def _nested_outcome(outcome: ACLOutcome, step: Step, verb: Verb) -> ACLOutcome:
    """Return what the ending of another ACL comes to as a condition."""
    if outcome is _DISCARD and not verb.is_passing:
        raise ACLError(
            f'nested ACL returned "discard" for "{verb.word}" command '
            '(only allowed with "accept" or "discard")'
        )
    return _INVERTED.get(outcome, outcome) if step.negated else outcome


async def _use_messages(
    verb: Verb,
    outcome: ACLOutcome,
    message: ITemplate | None,
    log_message: ITemplate | None,
    run: ACLRun,
) -> None:
    """Set ``run.message`` and ``run.log_message`` to what the statement says."""
    previous = run.message
    previous_log = run.log_message or previous
    if verb.is_warning or (outcome is _ACCEPT and verb.is_passing):
        # What a condition said of a failure does not belong to a success.
        run.message = run.log_message = ""
    if message is not None:
        run.message = await _expanded(message, previous, run) or run.message
    if log_message is not None:
        text = await _expanded(log_message, previous_log, run)
        if text and run.log_message:
            text = f"{text}: {run.log_message}"
        run.log_message = text or run.log_message
    run.log_message = run.log_message or run.message


async def _expanded(template: ITemplate, previous: str, run: ACLRun) -> str:
    """Return a message's text, empty where it cannot be expanded."""
    if template.constant is not None:
        return template.constant
    run.context.values["acl_verify_message"] = previous
    try:
        return await template.expand(run.context)
    except ForcedFailure:
        return ""
    except MTAError as error:
        run.logs.panic(f'failed to expand ACL message "{template.text}": {error}')
        return ""
    finally:
        run.context.values.pop("acl_verify_message", None)


def _finish_warn(outcome: ACLOutcome, run: ACLRun) -> None:
    """Do what ``warn`` asks for: a log line, a header field."""
    if outcome is _DEFER and run.logs.selects("acl_warn_skipped"):
        client = host_and_ident(run.subject.connection, run.logs)
        reason = f": {run.log_message}" if run.log_message else ""
        run.logs.main(
            f'{client} Warning: ACL "warn" statement skipped: '
            f"condition test deferred{reason}"
        )
    if outcome is not _ACCEPT:
        return
    log_message, message = run.log_message, run.message
    if log_message and log_message != message:
        failure = run.subject.sender_failure
        if failure is not None and log_message.lower() == "sender verify failed":
            log_message = f"{log_message}: {failure.log_text}"
        if log_message not in run.subject.warnings:
            run.subject.warnings.add(log_message)
            client = host_and_ident(run.subject.connection, run.logs)
            run.logs.main(f"{client} Warning: {log_message}", run.message_id)
    if not message:
        return
    if run.phase & MESSAGE:
        run.subject.header_changes.add(message)
    else:
        run.logs.panic(
            'ACL "warn" with "message" setting found in a non-message '
            f"({run.phase.title}) ACL: message ignored"
        )
