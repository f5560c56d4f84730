"""Which retry rule would be used (``-brt``, Exim chapter 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mta.delivery.retry import Retry, RetryOptions
from mta.delivery.retry_rules import ILogicalLine, RetryRule, Step, parse_retry_rules
from mta.expand.context import Context

_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


class _NoHints:
    """Remembers nothing: only rules are asked for."""

    def get(self, kind: str, key: str) -> None:
        return None

    def put(self, kind: str, key: str, value: object, expires: float) -> None:
        return None

    def delete(self, kind: str, key: str) -> None:
        return None


async def show_rule(
    lines: Iterable[ILogicalLine], operands: Sequence[str], context: Context
) -> str:
    """Return the line that tells of the rule for an address or domain.

    ``operands`` are an address or domain, perhaps a second domain (a host's), and
    perhaps the name of an error.  Empty where no rule matches.
    """
    retry = Retry(
        hints=_NoHints(), rules=parse_retry_rules(lines), options=RetryOptions()
    )
    domains, error = list(operands[:2]), ""
    if len(operands) > 2:
        error = operands[2]
    elif len(domains) == 2 and "." not in domains[1] and "@" not in domains[1]:
        error = domains.pop()
    # As in a delivery: the host comes before the address.
    names = [name if "@" in name else f"*@{name}" for name in reversed(domains)]
    rule = await retry.rule_for(names, error or "*", "", context)
    if rule is None and not error:
        # Without an error every rule for the names is meant.
        rule = await retry.rule_for(names, "", "", context)
    return "" if rule is None else f"Retry rule: {_shown(rule)}"


def _shown(rule: RetryRule) -> str:
    senders = f"senders={rule.senders}  " if rule.senders is not None else ""
    steps = "".join(f"{_step(step)}; " for step in rule.steps)
    return f"{rule.pattern}  {rule.error}  {senders}{steps}"


def _step(step: Step) -> str:
    text = f"{step.letter},{_interval(step.cutoff)},{_interval(step.interval)}"
    if step.letter == "F":
        return text
    factor = f"{step.factor:.3f}".rstrip("0")
    return f"{text},{factor}0" if factor.endswith(".") else f"{text},{factor}"


def _interval(seconds: float) -> str:
    rest, text = int(seconds), ""
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"
