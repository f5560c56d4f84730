"""What callouts found, remembered as hints (Exim chapter 43, "Callout caching")."""

from __future__ import annotations

from collections.abc import Callable

from mta.delivery.callout_options import CalloutOptions
from mta.errors import SpoolError
from mta.interfaces import IHintStore

KIND = "callout"
ANY_SENDER = "any sender"
NULL_SENDER = "the null sender"


class CalloutCache:
    """The facts about domains and addresses, each until it expires.

    Without ``hints`` nothing is known and nothing is kept.  What cannot be read is
    not known: the hosts are asked again.
    """

    def __init__(
        self,
        hints: IHintStore | None,
        options: CalloutOptions,
        clock: Callable[[], float],
    ) -> None:
        self._hints = hints
        self._options = options
        self._clock = clock

    def refuses_callouts(self, domain: str, *, null_sender: bool) -> bool:
        """Return whether a domain's hosts refused the session, or the null sender."""
        refused = self._find(f"session {domain}")
        return refused == ANY_SENDER or (null_sender and refused == NULL_SENDER)

    def accepts_random(self, domain: str) -> bool | None:
        """Return whether a domain takes every local part; None where nobody knows."""
        return _fact(self._find(f"random {domain}"))

    def accepts_postmaster(self, domain: str) -> bool | None:
        """Return whether a domain takes its postmaster; None where nobody knows."""
        return _fact(self._find(f"postmaster {domain}"))

    def accepts_address(self, key: str) -> bool | None:
        """Return whether an address was accepted; None where nobody knows."""
        return _fact(self._find(f"address {key}"))

    def keep_refusal(self, domain: str, whom: str) -> None:
        """Remember whom a domain's hosts do not listen to."""
        limit = self._options.callout_domain_negative_expire
        self._put(f"session {domain}", whom, limit)

    def keep_random(self, domain: str, accepted: bool) -> None:
        """Remember whether a domain takes every local part."""
        limit = self._options.callout_domain_positive_expire
        self._put(f"random {domain}", accepted, limit)

    def keep_postmaster(self, domain: str, accepted: bool) -> None:
        """Remember whether a domain takes its postmaster."""
        options = self._options
        limit = (
            options.callout_domain_positive_expire
            if accepted
            else options.callout_domain_negative_expire
        )
        self._put(f"postmaster {domain}", accepted, limit)

    def keep_address(self, key: str, accepted: bool) -> None:
        """Remember whether an address was accepted."""
        options = self._options
        limit = (
            options.callout_positive_expire
            if accepted
            else options.callout_negative_expire
        )
        self._put(f"address {key}", accepted, limit)

    def _find(self, key: str) -> object:
        if self._hints is None:
            return None
        try:
            found: object = self._hints.find(KIND, key)
        except SpoolError:
            return None
        return found

    def _put(self, key: str, value: str | bool, limit: float) -> None:
        if self._hints is not None:
            self._hints.put(KIND, key, value, self._clock() + limit)


def _fact(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
