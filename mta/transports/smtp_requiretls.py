"""What a message itself asks of TLS on its way (RFC 8689).

A message with REQUIRETLS goes to hosts alone whose name is known for certain, over
verified TLS, and that promise to ask the same of the next ones.  Where no host of its
domain does so it fails; what another try may mend awaits retry.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from mta.address import Address
from mta.message import Message
from mta.tls.policy import Start, Verify
from mta.tls.verdict import UNASKED, TLSVerdict, judged, unmet
from mta.transports.smtp_connections import Link
from mta.transports.smtp_link import HostProblem, HostSettings
from mta.transports.smtp_problems import TLS_FAILURE, TLS_REQUIRED, Problem, Scope
from mta.transports.smtp_progress import Progress

KEYWORD = "REQUIRETLS"
# Section 4.2.1 has the two; they are of class 5 once there is no host left.
NOT_OFFERED = "4.7.30"
NOT_SECURE = "4.7.10"


class Wish(Enum):
    """What a message asks of TLS."""

    NOTHING = "what options and published policies ask for"
    REQUIRED = "verified TLS, to hosts that require it too"
    OPTIONAL = "delivery, whatever policies others publish"


def wish_of(message: Message) -> Wish:
    """Return what a message asks for."""
    if message.requiretls:
        return Wish.REQUIRED
    return Wish.OPTIONAL if message.tls_optional else Wish.NOTHING


@dataclass(slots=True)
class Secrecy:
    """What one delivery asks of its hosts, and which of them cannot do it.

    ``hosts`` counts all that there are, known or not; ``lacking`` are those that were
    found to be of no use, with the reason.
    """

    wish: Wish = Wish.NOTHING
    is_report: bool = False
    hosts: int = 0
    lacking: list[tuple[HostSettings, Problem]] = field(default_factory=list)

    @classmethod
    def of(cls, message: Message, return_path: Address) -> Secrecy:
        """Return what is asked of the hosts for a message."""
        return cls(wish_of(message), not return_path)

    def demanded(self, settings: HostSettings) -> HostSettings | Problem:
        """Return how to speak to a host, or why that is of no use."""
        if not self._demands(settings):
            return settings
        policy = settings.policy
        if not _is_named_for_certain(settings):
            text = "nothing proves that its MX record is genuine"
            return self._lack(settings, text, NOT_OFFERED)
        if policy.start is Start.NEVER:
            text = "TLS is not to be used with it"
            return self._lack(settings, text, NOT_SECURE)
        if policy.start is Start.OFFERED:
            policy = replace(policy, start=Start.REQUIRED)
        if not policy.dane:
            # TLSA records that match are as good.
            name = settings.host.name
            policy = replace(policy, verify=Verify.REQUIRE, name=name)
        return replace(settings, policy=policy)

    def problem(self, failure: HostProblem, settings: HostSettings) -> Problem:
        """Return what a host that cannot be used means for this message.

        The verdict of the failure says so, too.  Other messages may need less, so
        nothing is remembered of the host.
        """
        problem = failure.problem
        is_of_tls = problem.number in (TLS_FAILURE, TLS_REQUIRED)
        if not is_of_tls or not self._demands(settings):
            return problem
        is_refusal = problem.number == TLS_REQUIRED and problem.reply[:1] != "4"
        if is_refusal or _was_refused(failure.verdict):
            found = unmet(problem.text, required=True)
            failure.verdict = failure.verdict.having(requiretls=found)
            return self._lack(settings, problem.text, NOT_SECURE)
        # Perhaps the next handshake does not break off.
        return replace(problem, scope=Scope.MESSAGE)

    def shortcoming(self, link: Link, settings: HostSettings) -> Problem | None:
        """Return why a connection is not good enough for the message.

        The verdict on the connection says so from then on.
        """
        if not self._demands(settings):
            if link.verdict.requiretls.asked:
                # It is of the message that the connection carried before.
                link.verdict = link.verdict.having(requiretls=UNASKED)
            return None
        text, status = "", NOT_OFFERED
        if link.tls is None or not _is_authenticated(link.verdict):
            text, status = "its certificate is not verified", NOT_SECURE
        elif KEYWORD not in link.client.session.capabilities and not self.is_report:
            # Section 5: reports are not lost for that.
            text = "it does not offer REQUIRETLS"
        link.verdict = link.verdict.having(requiretls=judged(text, required=True))
        return self._lack(settings, text, status) if text else None

    def passes_on(self, link: Link) -> bool:
        """Return whether a host is asked to require TLS of the next ones, too.

        Section 2: that is said to hosts alone that are known to be the right ones.
        """
        is_known = link.tls is not None and _is_authenticated(link.verdict)
        return self.wish is Wish.REQUIRED and is_known

    def settle(self, progress: Progress) -> None:
        """Fail what is left where none of the hosts is good enough."""
        if progress.pending and self.lacking and len(self.lacking) == self.hosts:
            settings, problem = self.lacking[-1]
            status = f"5{problem.status[1:]}"
            final = replace(problem, scope=Scope.PERMANENT, status=status)
            met = progress.awaiting.get(id(progress.pending[0]))
            progress.refuse(final, settings, () if met is None else met.log_fields)

    def _demands(self, settings: HostSettings) -> bool:
        # Section 4.4: what is beyond the last SMTP server is not our business.
        return self.wish is Wish.REQUIRED and not settings.is_lmtp

    def _lack(self, settings: HostSettings, text: str, status: str) -> Problem:
        problem = Problem(
            Scope.DEMAND,
            f"REQUIRETLS cannot be met by {settings.host}: {text}",
            TLS_REQUIRED,
            "tls_required",
            status,
        )
        self.lacking.append((settings, problem))
        return problem


def _is_named_for_certain(settings: HostSettings) -> bool:
    """Return whether nobody can have put this host in another's place.

    Section 4.2.1, step 2: a name from an MX record must be proved.  Other names are
    that of the domain itself, or our own configuration's.
    """
    host = settings.host
    # A policy that is being tested names hosts as surely as one that is enforced.
    is_vouched_for = settings.policy.sts is not None
    is_proved = host.secure or host.mx_secure or is_vouched_for
    return host.preference < 0 or is_proved


def _is_authenticated(verdict: TLSVerdict) -> bool:
    by_authority = verdict.chain.met is True and verdict.name.met is True
    return by_authority or verdict.dane.met is True


def _was_refused(verdict: TLSVerdict) -> bool:
    """Return whether a server showed that it is not the one, or not to be trusted."""
    checks = (verdict.chain, verdict.name, verdict.ocsp, verdict.crl, verdict.dane)
    return any(check.has_failed for check in checks)
