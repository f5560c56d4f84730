"""The condition ``seen``: has this been met before?

Exim chapter 43, section "Previously seen user and hosts".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.acl.argument_parts import split_at_slashes
from mta.acl.rates import short_key
from mta.acl.registry import condition
from mta.acl.run import ACLError, ACLRun
from mta.errors import SpoolError, TemporaryFailure
from mta.expand.option_types import template_of
from mta.interfaces import ITemplate
from mta.options import Source, parse_interval
from mta.taint import untainted

SEEN_KIND = "seen"
_DAY = 86400
REFRESH_SECONDS = 10 * _DAY
# So long a record is kept at least, for conditions with other intervals.
KEPT_SECONDS = 30 * _DAY
_VALUED = ("key=", "refresh=")


@dataclass(slots=True)
class _Settings:
    """An expanded argument; ``key`` is None for the default."""

    interval: int = 0
    is_before: bool = False
    key: str | None = None
    is_readonly: bool = False
    is_written: bool = False
    refresh: int = REFRESH_SECONDS

    def set_time(self, text: str) -> None:
        """Set interval and direction; raise ValueError."""
        self.is_before = text.startswith("-")
        self.interval = parse_interval(text[1:] if self.is_before else text)

    def take(self, name: str, value: str) -> None:
        """Take an option; raise ValueError where there is no such one."""
        if name == "key=":
            self.key = value
        elif name == "refresh=":
            self.refresh = parse_interval(value)
        elif value in ("readonly", "write"):
            self.is_readonly = value == "readonly"
            self.is_written = value == "write"
        else:
            raise ValueError(f"unrecognised option '{value[:100]}'")


@dataclass(frozen=True, slots=True)
class Sighting:
    """The argument: an interval, and options with the names that have values."""

    time: ITemplate
    options: tuple[tuple[str, ITemplate], ...] = field(default=())

    async def expanded(self, run: ACLRun) -> _Settings:
        """Return the settings of now."""
        settings = _Settings()
        try:
            settings.set_time(await self.time.expand(run.context))
            for name, template in self.options:
                value = await template.expand(run.context)
                if not name:
                    untainted(value, "option of seen")
                settings.take(name, value)
        except ValueError as error:
            raise ACLError(f"seen: {error}") from error
        return settings


class _SightingType:
    name = "time / options"

    def parse(self, text: str, source: Source) -> Sighting:
        """Return the argument; what needs no expansion is checked here and now."""
        time, *rest = split_at_slashes(text)
        options = []
        for part in rest:
            name = next((each for each in _VALUED if part.startswith(each)), "")
            options.append((name, template_of(part[len(name) :].strip(), source)))
        found = Sighting(template_of(time, source), tuple(options))
        draft = _Settings()
        try:
            if found.time.constant is not None:
                draft.set_time(found.time.constant)
            for name, template in options:
                if template.constant is not None:
                    draft.take(name, template.constant)
        except ValueError as error:
            raise source.error(str(error)) from error
        return found


@condition("seen", argument=_SightingType())
async def seen(run: ACLRun, value: Sighting) -> bool:
    """True where a key was met within some time, or (``-``) before that."""
    settings = await value.expanded(run)
    site = run.context.site
    if site.hints is None:
        raise ACLError("seen: there is nowhere to remember what was seen")
    key = settings.key
    if key is None:
        key = run.subject.connection.peer_address
    key = short_key(str(key))
    now = site.clock()
    edge = now - settings.interval
    try:
        found = site.hints.find(SEEN_KIND, key)
    except SpoolError as error:
        raise TemporaryFailure("", log_text=f"seen: {error}") from error
    if found is None:
        result = False
    else:
        result = found <= edge if settings.is_before else found >= edge
    mark = _new_mark(settings, found, result, now)
    if mark is not None:
        kept = max(KEPT_SECONDS, 2 * settings.interval, 2 * settings.refresh)
        site.hints.put(SEEN_KIND, key, mark, now + kept)
    return result


def _new_mark(
    settings: _Settings, found: float | None, result: bool, now: float
) -> float | None:
    """Return the time to remember, None where what is remembered stays."""
    if settings.is_readonly:
        return None
    if settings.is_written or not settings.is_before or found is None:
        return now
    if result and now - found > settings.refresh:
        # So that it is not forgotten, but counts as before all the same.
        return now - settings.interval
    return None
