"""Which deliveries of the past would have failed, had more been demanded of TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from mta.delivery.tls_results import TLSResult
from mta.expand.context import Context
from mta.expand.option_types import ClientList, HostList
from mta.host import Host
from mta.options import Source
from mta.tls.verdict import Check, TLSVerdict, result_type_of

MTA_STS = "mta_sts"


class Standing(Enum):
    """What would have become of a delivery."""

    PASSES = "would have passed"
    FAILS = "would have failed"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What would have become of a delivery, and why."""

    standing: Standing
    reason: str = ""


_PASSES = Judgement(Standing.PASSES)


def _fails(reason: str) -> Judgement:
    return Judgement(Standing.FAILS, reason)


def _unknown(reason: str) -> Judgement:
    return Judgement(Standing.UNKNOWN, reason)


def _require_tls(verdict: TLSVerdict) -> Judgement:
    if not verdict.tls.asked:
        return _unknown("TLS was not tried")
    return _PASSES if verdict.tls.met else _fails(_why("no TLS", verdict.tls))


def _require_ocsp(verdict: TLSVerdict) -> Judgement:
    # Where a staple is required nothing goes out in clear.
    tls = _require_tls(verdict)
    if tls.standing is not Standing.PASSES:
        return tls
    check = verdict.ocsp
    if not check.asked:
        return _unknown("no OCSP response was asked for")
    return _PASSES if check.met else _fails(_why("no good OCSP response", check))


def _require_dane(verdict: TLSVerdict) -> Judgement:
    check = verdict.dane
    if not check.asked:
        return _unknown("no TLSA records were asked for")
    return _PASSES if check.met else _fails(_why("no DANE", check))


def _verify(verdict: TLSVerdict) -> Judgement:
    tls = verdict.tls
    if not tls.asked:
        return _unknown("TLS was not tried")
    if not tls.met:
        if result_type_of("tls", tls) == "starttls-not-supported":
            # Exim chapter 30: it demands nothing of sessions without TLS.
            return _PASSES
        return _fails(_why("no TLS", tls))
    if verdict.dane.met:
        # TLSA records come in place of authorities.
        return _PASSES
    for name, check in (("chain", verdict.chain), ("name", verdict.name)):
        if check.has_failed:
            return _fails(_why(f"{name} not verified", check))
    revoked = [check for check in (verdict.ocsp, verdict.crl) if _is_revoked(check)]
    if revoked:
        return _fails(_why("revoked", revoked[0]))
    if not verdict.chain.asked:
        return _unknown("the certificate was not looked at")
    return _PASSES


def _is_revoked(check: Check) -> bool:
    """Return whether a check failed since the certificate is revoked.

    Other failures of OCSP say nothing against a certificate.
    """
    return check.has_failed and "revoked" in check.reason


def _enforce_sts(verdict: TLSVerdict) -> Judgement:
    # A domain without a policy has nothing that could be enforced.
    if verdict.sts.has_failed:
        return _fails(_why("MTA-STS policy not met", verdict.sts))
    return _PASSES


def _why(what: str, check: Check) -> str:
    return f"{what}: {check.reason}" if check.reason else what


_JUDGES: dict[str, Callable[[TLSVerdict], Judgement]] = {
    "hosts_require_tls": _require_tls,
    "hosts_require_ocsp": _require_ocsp,
    "hosts_require_dane": _require_dane,
    "tls_verify_hosts": _verify,
    MTA_STS: _enforce_sts,
}
OPTIONS = tuple(_JUDGES)


@dataclass(frozen=True, slots=True)
class Demand:
    """An option as it might be set; ``hosts`` is None for every host."""

    option: str
    text: str
    hosts: ClientList | None

    @classmethod
    def parse(cls, text: str, language: object = None) -> Demand:
        """Return the demand of ``NAME=VALUE``; raise ConfigurationError."""
        option, equals, value = text.partition("=")
        option, value = option.strip(), value.strip()
        source = Source(language=language, option=option)  # type: ignore[arg-type]
        if option not in _JUDGES or not equals:
            names = ", ".join(OPTIONS)
            raise source.error(f'"{text}" is not like NAME=VALUE; names: {names}')
        if option == MTA_STS:
            if value != "enforce":
                raise source.error(f'"{text}": the value is enforce')
            return cls(option, value, None)
        return cls(option, value, HostList.parse(value, source))

    async def judge(self, result: TLSResult, context: Context) -> Judgement:
        """Return what would have become of deliveries; raise TemporaryFailure."""
        verdict = result.verdict
        if self.hosts is not None and self.text != "*":
            if not verdict.host:
                return _unknown("the host is not known: it had too many results")
            host = Host(verdict.host, verdict.ip_address)
            if await self.hosts.match_host(host, context) is None:
                return _PASSES
        return _JUDGES[self.option](verdict)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would have become of the deliveries of one result, and by which option."""

    result: TLSResult
    judgement: Judgement
    option: str = ""


async def foresee(
    results: Iterable[TLSResult], demands: Sequence[Demand], context: Context
) -> list[Foreseen]:
    """Return what would have become of all that was delivered.

    Raises TemporaryFailure where it cannot be found out which hosts are in a list.
    """
    return [
        await _foresee(result, demands, context)
        for result in results
        if result.deliveries
    ]


async def _foresee(
    result: TLSResult, demands: Sequence[Demand], context: Context
) -> Foreseen:
    found = Foreseen(result, _PASSES)
    for demand in demands:
        judgement = await demand.judge(result, context)
        if judgement.standing is Standing.FAILS:
            return Foreseen(result, judgement, demand.option)
        if judgement.standing is Standing.UNKNOWN:
            found = Foreseen(result, judgement, demand.option)
    return found
