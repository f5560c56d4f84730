"""The text of an ACL as statements: verbs, conditions, modifiers (Exim chapter 43)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import mta.acl
from mta.acl.registry import Phase
from mta.acl.run import ACLOutcome
from mta.errors import ConfigurationError, ConfigurationErrors
from mta.interfaces import ICondition, IControl, ILanguage, IModifier, ITemplate
from mta.options import Source
from mta.plugins import find

_ACCEPT, _DENY, _DEFER = ACLOutcome.ACCEPT, ACLOutcome.DENY, ACLOutcome.DEFER
_DROP, _DISCARD = ACLOutcome.DROP, ACLOutcome.DISCARD
_NAME = re.compile(r"\w*", re.ASCII)


class Verb(Enum):
    """What a statement does: a table of Exim chapter 43, section 17.

    ``when_true`` is how the ACL ends where all conditions are true, None where it
    goes on.  ``speaks_on`` are the results of the conditions with which ``message``
    and ``log_message`` are used.
    """

    ACCEPT = ("accept", _ACCEPT, (_ACCEPT, _DENY, _DROP))
    DEFER = ("defer", _DEFER, (_ACCEPT,))
    DENY = ("deny", _DENY, (_ACCEPT,))
    DISCARD = ("discard", _DISCARD, (_ACCEPT, _DENY, _DROP))
    DROP = ("drop", _DROP, (_ACCEPT,))
    REQUIRE = ("require", None, (_DENY, _DROP))
    WARN = ("warn", None, (_ACCEPT,))

    def __init__(
        self,
        word: str,
        when_true: ACLOutcome | None,
        speaks_on: tuple[ACLOutcome, ...],
    ) -> None:
        self.word = word
        self.when_true = when_true
        self.speaks_on = speaks_on
        self.is_warning = word == "warn"
        self.is_requirement = word == "require"
        self.is_passing = word in ("accept", "discard")


VERBS = {verb.word: verb for verb in Verb}
# These belong to the statement and not to a place in it, so the parser keeps them.
_TEXTS = ("message", "log_message")
_ENDPASS = "endpass"


@dataclass(frozen=True, slots=True)
class Step:
    """One condition or modifier of a statement.

    ``phases`` are those in which it may be used, as a bit mask.  ``message`` and
    ``log_message`` are the last ones written before it, ``after_endpass`` says
    whether ``endpass`` was: they count if it is the condition that fails.
    """

    name: str
    call: Callable[..., Any]
    value: Any
    is_condition: bool
    negated: bool
    phases: int
    message: ITemplate | None
    log_message: ITemplate | None
    after_endpass: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Statement:
    """A verb with its conditions and modifiers, in order."""

    verb: Verb
    steps: tuple[Step, ...]
    message: ITemplate | None
    log_message: ITemplate | None
    source: Source


@dataclass(frozen=True, slots=True)
class ACL:
    """An access control list."""

    name: str
    statements: tuple[Statement, ...]


class ACLLanguage:
    """What an ACL may be written with: conditions, modifiers and controls.

    ``language`` is the expansion language of the arguments.
    """

    def __init__(
        self,
        language: ILanguage,
        *,
        conditions: Mapping[str, Any],
        modifiers: Mapping[str, Any],
        controls: Mapping[str, Any],
    ) -> None:
        self.language = language
        self.conditions = dict(conditions)
        self.modifiers = dict(modifiers)
        self.controls = dict(controls)

    @classmethod
    def load(cls, language: ILanguage) -> ACLLanguage:
        """Return the language with every condition, modifier and control there is."""
        return cls(
            language,
            conditions=find(ICondition, mta.acl),
            modifiers=find(IModifier, mta.acl),
            controls=find(IControl, mta.acl),
        )

    def parse(self, name: str, lines: Sequence[tuple[str, Source]]) -> ACL:
        """Return the ACL of some logical lines; raise ConfigurationErrors."""
        statements: list[_Draft] = []
        errors: list[ConfigurationError] = []
        for text, source in lines:
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            try:
                self._take(text.strip(), source, name, statements)
            except ConfigurationErrors as error:
                errors.extend(error.errors)
            except ConfigurationError as error:
                errors.append(error)
        if errors:
            raise ConfigurationErrors(errors)
        return ACL(name, tuple(draft.finished() for draft in statements))

    def parse_text(self, name: str, text: str, file: str = "") -> ACL:
        """Return the ACL of a text with line ends, from a file or an option."""
        numbered = enumerate(joined_lines(text), 1)
        return self.parse(
            name, [(line, Source(file, number)) for number, line in numbered]
        )

    def _take(
        self, text: str, source: Source, acl: str, statements: list[_Draft]
    ) -> None:
        """Take a line: a verb with or without its first condition, or a condition."""
        word = _name_at(text)
        if word in VERBS and not text.startswith("!"):
            verb_source = replace(source, option="", language=self.language)
            statements.append(_Draft(VERBS[word], verb_source))
            text = text[len(word) :].lstrip()
            if not text:
                return
        elif text.startswith("!") and _name_at(text[1:].lstrip()) in VERBS:
            raise source.error(f'a verb cannot be negated: "{text}"')
        elif not statements:
            raise source.error(f'unknown ACL verb "{word or text}" in ACL "{acl}"')
        self._add(text, source, acl, statements[-1])

    def _add(self, text: str, source: Source, acl: str, draft: _Draft) -> None:
        negated = text.startswith("!")
        text = text[1:].lstrip() if negated else text
        name = _name_at(text)
        rest = text[len(name) :].lstrip()
        place = replace(
            source, option=f'"{name}" in ACL "{acl}"', language=self.language
        )
        extension = self.conditions.get(name)
        if negated and extension is None and self._is_modifier(name):
            raise place.error("only a condition can be negated")
        if name == _ENDPASS:
            _check_endpass(rest, place, draft)
            draft.after_endpass = True
            return
        if extension is None and not self._is_modifier(name):
            raise source.error(
                f'unknown ACL condition or modifier "{name or text}" in ACL "{acl}"'
            )
        argument = _argument(rest, name, place)
        if name in _TEXTS:
            setattr(draft, name, self.language.template(argument, place))
            return
        is_condition = extension is not None
        extension = extension or self.modifiers[name]
        value = self._argument_type(extension).parse(argument, place)
        phases = getattr(value, "phases", None) or extension.phases
        step = Step(
            name,
            extension,
            value,
            is_condition,
            negated,
            phases.value,
            draft.message,
            draft.log_message,
            draft.after_endpass,
            place,
        )
        draft.steps.append(step)

    def _is_modifier(self, name: str) -> bool:
        return name in self.modifiers or name in _TEXTS or name == _ENDPASS

    def _argument_type(self, extension: Any) -> Any:
        # The argument of control names another extension of this language.
        bound_to = getattr(extension.argument, "bound_to", None)
        return bound_to(self) if bound_to is not None else extension.argument


class _Draft:
    """A statement that is being read."""

    def __init__(self, verb: Verb, source: Source) -> None:
        self.verb = verb
        self.source = source
        self.steps: list[Step] = []
        self.message: ITemplate | None = None
        self.log_message: ITemplate | None = None
        self.after_endpass = False

    def finished(self) -> Statement:
        """Return the statement."""
        return Statement(
            self.verb, tuple(self.steps), self.message, self.log_message, self.source
        )


def _name_at(text: str) -> str:
    match = _NAME.match(text)
    return match[0] if match else ""


def _check_endpass(rest: str, place: Source, draft: _Draft) -> None:
    if rest:
        raise place.error("it takes no argument")
    if not draft.verb.is_passing:
        raise place.error(
            f'it may only stand in "accept" and "discard", not in "{draft.verb.word}"'
        )


def _argument(rest: str, name: str, place: Source) -> str:
    """Return what stands behind the equals sign; ``set`` has a variable before it."""
    if name == "set":
        return rest
    if not rest.startswith("="):
        raise place.error('"=" is missing behind it')
    return rest[1:].strip()


def joined_lines(text: str) -> list[str]:
    """Return the lines of an ACL text, those that end in a backslash joined."""
    lines: list[str] = []
    pending = ""
    for line in text.splitlines():
        whole = line.strip()
        if pending and whole.startswith("#"):
            whole = "\\"
        elif not pending and whole.startswith("#"):
            whole = ""
        if whole.endswith("\\"):
            pending += whole[:-1]
            lines.append("")
        else:
            lines.append(pending + whole)
            pending = ""
    if pending:
        lines.append(pending)
    return lines


def misplaced(acl: ACL, phase: Phase) -> list[ConfigurationError]:
    """Return an error for every condition and modifier that a phase does not allow."""
    errors = []
    for statement in acl.statements:
        if statement.verb is Verb.DISCARD and not phase & DISCARD_PHASES:
            errors.append(
                statement.source.error(
                    f'"discard" cannot be used in the {phase.title} ACL'
                )
            )
        errors.extend(
            step.source.error(f"{wrong_phase(step, phase)}")
            for step in statement.steps
            if not step.phases & phase.value
        )
    return errors


DISCARD_PHASES = Phase.MAIL | Phase.RCPT | Phase.DATA | Phase.NOT_SMTP


def wrong_phase(step: Step, phase: Phase) -> str:
    """Return the text of the error that a step is used where it may not be."""
    action = "test" if step.is_condition else "use"
    kind = "condition" if step.is_condition else "modifier"
    name = getattr(step.value, "described", step.name)
    return f"cannot {action} {name} {kind} in {phase.title} ACL"
