"""What one connection to a host proved of its TLS, check by check; plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

REASON_LIMIT = 300
STRINGS_LIMIT = 100
STRINGS_SIZE_LIMIT = 4000


class UnreadableVerdict(ValueError):
    """Something kept as a verdict that is none."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a connection may have to prove.

    ``asked`` says that we looked, ``required`` that nothing is sent without it.
    ``met`` is None where there was nothing to look at (no TLSA records, no policy,
    no staple wanted): that is neither good nor bad by itself.  ``reason`` says why
    it is not met, or why nothing is known.  ``result_type`` is the word that RFC
    8460, section 4.3 has for a failure, where the check knows better than
    ``result_type_of``.
    """

    asked: bool = False
    required: bool = False
    met: bool | None = None
    reason: str = ""
    result_type: str = ""

    @property
    def has_failed(self) -> bool:
        """True where it was found not to hold, whether that was required or not."""
        return self.met is False

    @property
    def is_violated(self) -> bool:
        """True where it was required and does not hold."""
        return self.required and self.met is not True

    @property
    def word(self) -> str:
        """``yes``, ``no``, ``none`` or ``unasked``, with ``!`` where it is required."""
        if self.met is None:
            word = "none" if self.asked else "unasked"
        else:
            word = "yes" if self.met else "no"
        return f"{word}!" if self.required else word


UNASKED = Check()


def met(reason: str = "", *, required: bool = False) -> Check:
    """Return a check that holds."""
    return Check(True, required, True, reason[:REASON_LIMIT])


def unmet(reason: str, *, required: bool = False, result_type: str = "") -> Check:
    """Return a check that does not hold."""
    return Check(True, required, False, reason[:REASON_LIMIT], result_type)


def absent(reason: str, *, required: bool = False, result_type: str = "") -> Check:
    """Return a check for which there was nothing to look at."""
    return Check(True, required, None, reason[:REASON_LIMIT], result_type)


def judged(problem: str, *, required: bool = False, result_type: str = "") -> Check:
    """Return a check that holds where ``problem`` is empty."""
    if problem:
        return unmet(problem, required=required, result_type=result_type)
    return met(required=required)


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """A policy of the receiving side that a connection was held against (RFC 8460).

    ``kind`` is ``tlsa`` or ``sts``; ``domain`` the TLSA base domain, or the domain
    that publishes the MTA-STS policy.  ``strings`` are the TLSA records, each as
    ``usage selector matching-type data``, or the lines of the policy file;
    ``mx_patterns`` those of MTA-STS.
    """

    kind: str
    domain: str
    strings: tuple[str, ...] = ()
    mx_patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class TLSVerdict:
    """Which checks of one connection were asked, required and met, and why.

    ``tls`` is about the session being encrypted at all: it is met once the handshake
    has ended well, not met where the host offered no TLS, refused it or failed in the
    handshake.  ``chain`` and ``name`` are about the certificate, ``dane`` and ``sts``
    about the policy of the receiving domain as a whole.  ``requiretls`` belongs to
    one message (RFC 8689): it is put in with ``having``.  Addresses are text without
    brackets, ``helo`` the name that the host gave in its greeting, all empty where
    not known.
    """

    host: str = ""
    ip_address: str = ""
    local_address: str = ""
    helo: str = ""
    cipher: str = ""
    tls: Check = UNASKED
    chain: Check = UNASKED
    name: Check = UNASKED
    ocsp: Check = UNASKED
    crl: Check = UNASKED
    dane: Check = UNASKED
    sts: Check = UNASKED
    requiretls: Check = UNASKED
    policies: tuple[PublishedPolicy, ...] = ()

    def having(self, **changes: Any) -> TLSVerdict:
        """Return the same with some fields changed."""
        return replace(self, **changes)

    def reduced(self) -> TLSVerdict:
        """Return the answers alone: what few values there are, whatever a host says."""
        answers = {
            name: replace(check, reason="", result_type="")
            for name, check in self.checks
        }
        return TLSVerdict().having(**answers)

    @property
    def checks(self) -> Iterator[tuple[str, Check]]:
        """Every check with its name, in the order in which they come to bear."""
        for name in CHECKS:
            yield name, getattr(self, name)

    @property
    def violations(self) -> list[tuple[str, Check]]:
        """The checks that were required and do not hold, with their names."""
        return [(name, check) for name, check in self.checks if check.is_violated]

    @property
    def failures(self) -> list[tuple[str, Check]]:
        """The checks that were found not to hold, with their names."""
        return [(name, check) for name, check in self.checks if check.has_failed]

    @property
    def text(self) -> str:
        """What was asked, in one line: ``tls=yes! chain=no (expired) ocsp=yes``."""
        parts = []
        for name, check in self.checks:
            if not (check.asked or check.required):
                continue
            part = f"{name}={check.word}"
            if check.reason and check.met is not True:
                part += f" ({check.reason})"
            parts.append(part)
        return " ".join(parts)

    @property
    def log_field(self) -> str:
        """The ``TLSV="..."`` part of a log line (selector ``tls_verdict``)."""
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'TLSV="{escaped}"'

    @cached_property
    def json_text(self) -> str:
        """The whole as JSON in which equal verdicts have equal texts."""
        return json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)

    def to_json(self) -> dict[str, Any]:
        """Return the whole as values that JSON has; what is empty is left out."""
        value: dict[str, Any] = {
            name: text for name in _TEXTS if (text := getattr(self, name))
        }
        for name, check in self.checks:
            if check != UNASKED:
                value[name] = _check_to_json(check)
        if self.policies:
            value["policies"] = [_policy_to_json(policy) for policy in self.policies]
        return value


_TEXTS = ("host", "ip_address", "local_address", "helo", "cipher")
CHECKS = tuple(
    field.name
    for field in fields(TLSVerdict)
    if field.name not in (*_TEXTS, "policies")
)


def verdict_from_json(value: object) -> TLSVerdict:
    """Return the verdict that ``to_json`` wrote; raise UnreadableVerdict."""
    if not isinstance(value, Mapping):
        raise UnreadableVerdict("a verdict is an object")
    policies = value.get("policies", [])
    if not isinstance(policies, list):
        raise UnreadableVerdict("policies are a list")
    parts: dict[str, Any] = {name: _text(value, name) for name in _TEXTS}
    parts |= {name: _check(value[name]) for name in CHECKS if name in value}
    return TLSVerdict(**parts, policies=tuple(_policy(policy) for policy in policies))


def _check_to_json(check: Check) -> dict[str, Any]:
    value: dict[str, Any] = {
        "asked": check.asked,
        "required": check.required,
        "met": check.met,
    }
    if check.reason:
        value["reason"] = check.reason
    if check.result_type:
        value["result_type"] = check.result_type
    return value


def _check(value: object) -> Check:
    if not isinstance(value, Mapping):
        raise UnreadableVerdict("a check is an object")
    answers = (value.get("asked"), value.get("required"))
    held = value.get("met")
    if not all(isinstance(answer, bool) for answer in answers) or not (
        held is None or isinstance(held, bool)
    ):
        raise UnreadableVerdict("a check has asked, required and met")
    return Check(
        bool(answers[0]),
        bool(answers[1]),
        held,
        _text(value, "reason"),
        _text(value, "result_type"),
    )


def _policy_to_json(policy: PublishedPolicy) -> dict[str, Any]:
    return {
        "kind": policy.kind,
        "domain": policy.domain,
        "strings": _kept(policy.strings),
        "mx_patterns": _kept(policy.mx_patterns),
    }


def _kept(strings: tuple[str, ...]) -> list[str]:
    """Return as many strings as are worth keeping: others have written them."""
    kept: list[str] = []
    room = STRINGS_SIZE_LIMIT
    for text in strings[:STRINGS_LIMIT]:
        room -= len(text)
        if room < 0:
            break
        kept.append(text)
    return kept


def _policy(value: object) -> PublishedPolicy:
    if not isinstance(value, Mapping):
        raise UnreadableVerdict("a policy is an object")
    return PublishedPolicy(
        _text(value, "kind"),
        _text(value, "domain"),
        _texts(value, "strings"),
        _texts(value, "mx_patterns"),
    )


def _text(value: Mapping[str, object], name: str) -> str:
    text = value.get(name, "")
    if not isinstance(text, str):
        raise UnreadableVerdict(f"{name} is a text")
    return text


def _texts(value: Mapping[str, object], name: str) -> tuple[str, ...]:
    texts = value.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise UnreadableVerdict(f"{name} are texts")
    return tuple(texts)


# RFC 8460, section 4.3; OCSP and the like have no word of their own there.
_RESULT_TYPES = {
    "tls": "starttls-not-supported",
    "chain": "certificate-not-trusted",
    "name": "certificate-host-mismatch",
}


def result_type_of(name: str, check: Check) -> str:
    """Return the word of RFC 8460, section 4.3, for a check that does not hold."""
    if check.result_type:
        return check.result_type
    if name == "chain" and "expired" in check.reason:
        return "certificate-expired"
    return _RESULT_TYPES.get(name, "validation-failure")
