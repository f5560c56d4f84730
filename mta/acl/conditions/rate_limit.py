"""The condition ``ratelimit``: is a client, or something else, too fast?

Exim chapter 43, section "Rate limiting incoming messages".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mta.acl.argument_parts import split_at_slashes
from mta.acl.log_text import host_and_ident
from mta.acl.rate_settings import (
    Measure,
    OptionDraft,
    RateSettings,
    Update,
    parse_number,
    parse_period,
    parse_settings,
)
from mta.acl.rates import Rate, RateBook, short_key, smoothed
from mta.acl.registry import Phase, condition
from mta.acl.run import ACLError, ACLRun
from mta.errors import SpoolError, TemporaryFailure
from mta.expand.option_types import template_of
from mta.interfaces import ITemplate
from mta.options import Source

_EVENT = re.compile(r"unique\s*=", re.IGNORECASE)
_AFTER_CONTENT = Phase.DATA | Phase.NOT_SMTP
# So many events of a key are told apart, as multiples of its limit and at least.
_EVENTS_PER_LIMIT = 4
_EVENTS_MINIMUM = 320


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The argument, parsed as far as it can be before it is expanded.

    ``parts`` are what slashes part, each with whether it is the value of ``unique=``;
    ``settings`` are what they come to where nothing is expanded.
    """

    parts: tuple[tuple[ITemplate, bool], ...]
    phases: Phase
    described: str = "ratelimit"
    settings: RateSettings | None = None

    async def expanded(self, run: ACLRun) -> RateSettings:
        """Return the settings of now."""
        if self.settings is not None:
            return self.settings
        items = [
            (await template.expand(run.context), is_event)
            for template, is_event in self.parts
        ]
        try:
            return parse_settings(items)
        except ValueError as error:
            raise ACLError(f"ratelimit: {error}") from error


class _RateLimitType:
    name = "rate limit"

    def parse(self, text: str, source: Source) -> RateLimit:
        """Return the limit; an option that is none is refused here and now."""
        parts = []
        for part in split_at_slashes(text):
            event = _EVENT.match(part)
            value = part[event.end() :].strip() if event is not None else part
            parts.append((template_of(value, source), event is not None))
        try:
            draft = _literal_options(parts)
            settings = None
            if all(template.constant is not None for template, _ in parts):
                settings = parse_settings(
                    (template.constant or "", is_event) for template, is_event in parts
                )
        except ValueError as error:
            raise source.error(str(error)) from error
        phases = _phases(draft, parts)
        described = "ratelimit"
        if phases != Phase.every() and draft.update is not None:
            measure = draft.measure or Measure.MESSAGES
            described = f'"{draft.update.value}" {measure.word} ratelimit'
        return RateLimit(tuple(parts), phases, described, settings)


def _literal_options(parts: list[tuple[ITemplate, bool]]) -> OptionDraft:
    """Return the options that need no expansion; raise ValueError for a wrong one."""
    draft = OptionDraft()
    limit = parts[0][0].constant
    if limit is not None:
        parse_number(limit)
    if limit is not None and len(parts) > 1 and parts[1][0].constant is not None:
        parse_period(parts[1][0].constant)
    for template, is_event in parts[2:]:
        text = template.constant
        if is_event:
            draft.take_unique(text or "")
        elif text is None:
            # What is written before the first dollar sign may be an option's name.
            if "=" in template.text.partition("$")[0]:
                _check_name(template.text)
        elif text and draft.take(text) and draft.keys:
            raise ValueError(
                f'unknown option "{draft.keys[0]}"; a key stands at the end'
            )
    draft.check()
    return draft


def _check_name(text: str) -> None:
    """Raise ValueError where a value's option is written wrong."""
    name = text.partition("=")[0].strip().lower()
    if name != "count":
        OptionDraft().take(f"{name}=")


def _phases(draft: OptionDraft, parts: list[tuple[ITemplate, bool]]) -> Phase:
    """Return where the condition may stand, as far as that is known already."""
    is_open = any(template.constant is None for template, _ in parts[2:])
    if draft.update in (None, Update.READONLY) or (draft.measure is None and is_open):
        return Phase.every()
    return (draft.measure or Measure.MESSAGES).phases


@condition("ratelimit", argument=_RateLimitType())
async def ratelimit(run: ACLRun, value: RateLimit) -> bool:
    """True where something happens as often as a limit says, or more often."""
    settings = await value.expanded(run)
    measure = settings.measure
    key = _key(settings, run)
    readonly = settings.update is Update.READONLY
    if not measure.phases & run.phase:
        if settings.update in (Update.STRICT, Update.LEAKY):
            raise ACLError(
                f'ratelimit: "{settings.update.value}" cannot be used with '
                f'"{measure.word}" in {run.phase.title} ACL'
            )
        readonly = True
    known, known_key = _measured(measure, run), key
    if readonly and key not in run.rates:
        # It is not in the way of a condition that updates the rate.
        known, known_key = run.rates, f"readonly {key}"
    rate = known.get(known_key)
    is_measured_now = rate is None
    if rate is None:
        try:
            rate = known[known_key] = _measure(settings, key, readonly, run)
        except SpoolError as error:
            raise TemporaryFailure(
                "Temporary local problem", log_text=f"ratelimit: {error}"
            ) from error
    values = run.context.values
    values["sender_rate"] = f"{rate:.1f}"
    values["sender_rate_limit"] = settings.limit_text
    values["sender_rate_period"] = settings.period_text
    is_reached = rate >= settings.limit
    if is_reached and is_measured_now and settings.limit:
        run.logs.main(
            f"{host_and_ident(run.subject.connection, run.logs)} ratelimit reached: "
            f"rate {rate:.1f} limit {settings.limit_text} / {settings.period_text} "
            f"key {key}",
            run.message_id,
        )
    return is_reached


def _key(settings: RateSettings, run: ACLRun) -> str:
    """Return what a rate is stored under."""
    measure = settings.measure
    unique = measure is Measure.ADDRESSES or settings.unique is not None
    return short_key(
        f"{settings.period_text}/{measure.stored}/{'unique/' if unique else ''}"
        f"{settings.key or run.subject.connection.peer_address}"
    )


def _measured(measure: Measure, run: ACLRun) -> dict[str, float]:
    """Return the rates that need not be measured again for what is counted."""
    if measure is Measure.CONNECTIONS:
        return run.subject.connection_rates
    if measure is Measure.COMMANDS or (
        run.phase is Phase.RCPT and measure.stored == Measure.RECIPIENTS.stored
    ):
        return run.rates
    return run.subject.message_rates


def _measure(settings: RateSettings, key: str, readonly: bool, run: ACLRun) -> float:
    """Return the rate with what happens now, and remember it."""
    site = run.context.site
    if site.hints is None:
        raise ACLError("ratelimit: there is nowhere to remember rates")
    book = RateBook(site.hints)
    now = site.clock()
    rate = book.find(key)
    if readonly:
        if rate is None:
            return 0.0
        return smoothed(rate.value, now - rate.measured_at, settings.period, 0.0)
    count = _count(settings, run)
    event = _event(settings, run)
    since, events = now, 0
    if rate is not None and event is not None:
        if now - rate.events_since <= settings.period:
            since, events = rate.events_since, rate.events
        if book.is_known(key, event, since):
            count, event = 0.0, None
    value = count
    if rate is not None:
        value = smoothed(rate.value, now - rate.measured_at, settings.period, count)
    if settings.update is Update.STRICT or value < settings.limit:
        if event is not None and events < _events_limit(settings):
            events += 1
            book.keep_event(key, event, since, since + settings.period)
        usual = count or (rate.increment if rate is not None else 1.0)
        kept = Rate(now, value, usual, settings.limit_text, since, events)
        book.keep(key, kept, settings.period)
    return value


def _count(settings: RateSettings, run: ACLRun) -> float:
    """Return how much this event counts."""
    if settings.increment is not None:
        return settings.increment
    message = run.subject.message
    if settings.measure is Measure.OCTETS:
        if message is None:
            return 0.0
        return float(
            message.size if run.phase & _AFTER_CONTENT else message.declared_size
        )
    if settings.measure is Measure.RECIPIENTS and run.phase is not Phase.RCPT:
        return float(len(message.recipients)) if message is not None else 0.0
    return 1.0


def _event(settings: RateSettings, run: ACLRun) -> str | None:
    """Return what tells this event from others, None where each one counts."""
    address = run.recipient
    if settings.measure is Measure.ADDRESSES and address is not None:
        return f"{address.local_part}@{address.domain}"
    return settings.unique


def _events_limit(settings: RateSettings) -> float:
    return max(_EVENTS_MINIMUM, settings.limit * _EVENTS_PER_LIMIT)
