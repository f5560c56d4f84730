"""What an ACL does on its way to a verdict (Exim chapter 43, section 18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mta.acl.registry import MESSAGE, Phase, modifier
from mta.acl.run import ACLError, ACLRun
from mta.errors import ExpansionError, ForcedFailure
from mta.expand.option_types import ExpandedInterval, ExpandedValue, template_of
from mta.interfaces import ITemplate
from mta.options import Source, split_list

_LOGS = ("main", "reject", "panic")
_VARIABLE = re.compile(r"acl_([cm][0-9_]\w*)\s*=\s*(.*)\Z", re.ASCII | re.DOTALL)
_CONTROL_NAME = re.compile(r"([a-z_]+)(?:/|\Z)", re.ASCII)


@modifier("add_header", phases=MESSAGE)
async def add_header(run: ACLRun, value: ITemplate) -> None:
    """Add fields to the header section, at its end or where a prefix says."""
    changes = run.subject.header_changes
    changes.add(await value.expand(run.context))
    run.context.values["headers_added"] = changes.added_text


@modifier("remove_header", phases=MESSAGE)
async def remove_header(run: ACLRun, value: ITemplate) -> None:
    """Take fields out of the header section, by name or by pattern."""
    run.subject.header_changes.remove(await value.expand(run.context))


@modifier("continue")
async def continue_(run: ACLRun, value: ITemplate) -> None:
    """Expand a string for what its expansion does; the result does not matter."""
    await value.expand(run.context)


@modifier("delay", phases=~Phase.NOTQUIT, argument=ExpandedInterval)
async def delay(run: ACLRun, value: ExpandedValue[int]) -> None:
    """Wait; replies that are ready are sent before."""
    seconds = await value.value(run.context)
    if run.sleep is None:
        raise ACLError("there is nothing to wait with for a delay")
    if seconds > 0:
        if run.subject.flush is not None:
            run.subject.flush()
        await run.sleep(seconds)


class _LogListType:
    name = "log list"

    def parse(self, text: str, source: Source) -> ITemplate:
        template = template_of(text, source)
        if template.constant is not None:
            _check_logs(split_list(template.constant), source)
        return template


class _LogLineType:
    name = "log line"

    def parse(self, text: str, source: Source) -> ITemplate:
        names, colon, _ = text[1:].partition(":")
        if text.startswith(":") and colon and "$" not in names:
            _check_logs(names.replace(",", " ").split(), source)
        return template_of(text, source)


def _check_logs(names: list[str], source: Source) -> None:
    try:
        _log_names(names)
    except ExpansionError as error:
        raise source.error(str(error)) from error


@modifier("log_reject_target", argument=_LogListType())
async def log_reject_target(run: ACLRun, value: ITemplate) -> None:
    """Choose the logs of a rejection, from here to the end of the ACL."""
    names = split_list(await value.expand(run.context))
    run.log_targets = _log_names(names)


@modifier("logwrite", argument=_LogLineType())
async def logwrite(run: ACLRun, value: ITemplate) -> None:
    """Write a line to the main log, or to those that ``:name,name:`` says."""
    text = await value.expand(run.context)
    targets: tuple[str, ...] = ("main",)
    if text.startswith(":"):
        names, colon, rest = text[1:].partition(":")
        if not colon:
            raise ExpansionError(f'a colon is missing behind the logs in "{text}"')
        targets = _log_names(names.replace(",", " ").split()) or targets
        text = rest
    write_to(run, targets, text.strip())


def write_to(
    run: ACLRun, targets: tuple[str, ...], text: str, detail: str = ""
) -> None:
    """Write a line to some of the three logs; ``detail`` goes to the reject log."""
    message_id = run.message_id
    if "panic" in targets:
        run.logs.panic(text, message_id)
    if "main" in targets and "reject" in targets and "panic" not in targets:
        run.logs.reject(text, message_id, detail)
    elif "reject" in targets:
        run.logs.reject_only(text + detail, message_id)
    elif "main" in targets and "panic" not in targets:
        run.logs.main(text, message_id)


def _log_names(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in _LOGS:
            raise ExpansionError(f'unknown log "{name}"; known: {", ".join(_LOGS)}')
    return tuple(str(name) for name in names)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A variable's name without ``acl_``, and its value."""

    variable: str
    value: ITemplate


class _AssignmentType:
    name = "variable = value"

    def parse(self, text: str, source: Source) -> Assignment:
        match = _VARIABLE.match(text)
        if match is None:
            raise source.error(
                'it must be followed by "acl_c" or "acl_m" with a number or a name '
                'that begins with "_", and by "=" and a value'
            )
        return Assignment(match[1], template_of(match[2], source))


@modifier("set", argument=_AssignmentType())
async def set_(run: ACLRun, value: Assignment) -> None:
    """Set a variable of the connection (``acl_c``) or of the message (``acl_m``)."""
    text = await value.value.expand(run.context)
    if value.variable.startswith("c"):
        run.subject.connection.acl_variables[value.variable] = text
        return
    message = run.subject.early_message()
    run.context.message = message
    message.acl_variables[value.variable] = text


@dataclass(frozen=True, slots=True)
class Controlling:
    """A control to use: known with its options, or to be found by expansion."""

    template: ITemplate
    controls: Mapping[str, Any]
    control: Any = None
    options: Any = None

    @property
    def phases(self) -> Phase:
        """The phases in which the control may be used."""
        if self.control is None:
            return Phase.every()
        found: Phase = self.control.phases
        return found

    @property
    def described(self) -> str:
        """What an error calls the modifier."""
        return f"control={self.template.text}"


@dataclass(frozen=True, slots=True)
class ControlType:
    """The argument of ``control``: the name of a control and its options."""

    controls: Mapping[str, Any]
    name = "control"

    def parse(self, text: str, source: Source) -> Controlling:
        """Return the control; its name and options are checked as far as known."""
        template = template_of(text, source)
        try:
            if template.constant is not None:
                control, options = self.find(template.constant)
                return Controlling(template, self.controls, control, options)
            match = _CONTROL_NAME.match(text)
            if match is not None:
                self.named(match[1])
        except ValueError as error:
            raise source.error(str(error)) from error
        return Controlling(template, self.controls)

    def find(self, text: str) -> tuple[Any, Any]:
        """Return a control and its parsed options; raise ValueError."""
        name, slash, rest = text.partition("/")
        control = self.named(name.strip())
        try:
            return control, control.options(slash + rest)
        except ValueError as error:
            raise ValueError(f'control "{name.strip()}": {error}') from error

    def named(self, name: str) -> Any:
        """Return the control of a name; raise ValueError."""
        if name not in self.controls:
            known = ", ".join(self.controls)
            raise ValueError(f'unknown control "{name}"; known: {known}')
        return self.controls[name]


class _AnyControl:
    """The argument of ``control``, before the ACL language is known."""

    name = "control"

    def bound_to(self, acl_language: Any) -> ControlType:
        return ControlType(acl_language.controls)

    def parse(self, text: str, source: Source) -> Controlling:
        raise source.error("the controls are not known here")


@modifier("control", argument=_AnyControl())
async def control(run: ACLRun, value: Controlling) -> None:
    """Switch something for the connection or the message."""
    found, options = value.control, value.options
    if found is None:
        try:
            text = await value.template.expand(run.context)
            found, options = ControlType(value.controls).find(text)
        except ForcedFailure:
            return
        except ValueError as error:
            raise ACLError(str(error)) from error
        if not found.phases & run.phase:
            raise ACLError(
                f"cannot use control={found.extension_name} in {run.phase.title} ACL"
            )
    found(run, options)
