"""One batch on its way over the hosts of an smtp transport (Exim chapter 48)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mta.host import Host
from mta.recipient import RoutedAddress
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_problems import HOST_RETRY, Problem, Scope
from mta.transports.smtp_progress import Progress
from mta.transports.smtp_sending import HostBusy, Sending


@dataclass(slots=True, kw_only=True)
class HostTour:
    """Tries hosts in order, those that are due, until no address is left.

    ``settings`` tells how to speak to a host.  ``limit`` bounds the hosts tried,
    those not counted that have failed for a long time or are none for the message (MTA-STS,
    REQUIRETLS); ``hard_limit`` bounds all.
    """

    progress: Progress
    sending: Sending
    settings: Callable[[Host], Awaitable[HostSettings]]
    limit: int = 5
    hard_limit: int = 50
    retry_after_cutoff: bool = False

    async def run(self, hosts: Sequence[Host], problems: Sequence[Problem]) -> None:
        """Leave an outcome for every address.

        ``problems`` are those of hosts whose addresses were not found.
        """
        progress = self.progress
        self.sending.secrecy.hosts += len(hosts) + len(problems)
        skipped: list[HostSettings] = []
        busy = await self._try(hosts, skipped)
        all_skipped = bool(skipped) and len(skipped) == len(hosts)
        expired = all_skipped and all(self._has_expired(s) for s in skipped)
        if expired and self.retry_after_cutoff:
            # Exim chapter 30, "delay_after_cutoff": one try for each message.
            await self._try(hosts, None)
        for address in list(progress.pending):
            if id(address) not in progress.awaiting:
                problem = _why_untried(address, skipped, expired, busy, problems)
                key = skipped[-1].retry_key if skipped else ""
                progress.untried(address, problem, key)

    async def _try(
        self, hosts: Sequence[Host], skipped: list[HostSettings] | None
    ) -> int:
        """Try hosts and return how many were busy.

        Those that are not due are put into ``skipped``; with None they are tried.
        """
        progress = self.progress
        tried = counted = busy = 0
        for place, host in enumerate(hosts):
            if (
                not progress.pending
                or tried >= self.hard_limit
                or counted >= self.limit
            ):
                break
            context = progress.batch.context
            context.host, context.tls_out = host, None
            context.lookup_dnssec = host.lookup_dnssec
            settings = await self.settings(host)
            if skipped is not None and not self._is_due(settings):
                skipped.append(settings)
                continue
            progress.more_hosts = place + 1 < len(hosts)
            try:
                is_one = await self.sending.bring(progress, settings)
            except HostBusy:
                busy += 1
                continue
            tried += 1
            # No retry time keeps those that are none from being tried first again.
            counted += is_one and not self._has_expired(settings)
        return busy

    def _is_due(self, settings: HostSettings) -> bool:
        batch = self.progress.batch
        if batch.hints is None:
            return True
        message_key = settings.message_key(batch.message.message_id)
        return batch.hints.is_due(settings.retry_key) and batch.hints.is_due(
            message_key
        )

    def _has_expired(self, settings: HostSettings) -> bool:
        hints = self.progress.batch.hints
        return hints is not None and hints.has_expired(settings.retry_key)


def _why_untried(
    address: RoutedAddress,
    skipped: Sequence[HostSettings],
    expired: bool,
    busy: int,
    problems: Sequence[Problem],
) -> Problem:
    whose = f" for '{address.domain}'" if address.domain else ""
    if busy:
        text = f"connection limit reached for all hosts{whose}"
        return Problem(Scope.HOST, text, HOST_RETRY, "", "4.4.5")
    if skipped and expired:
        text = (
            f"all hosts{whose} have been failing for a long time "
            "(and retry time not reached)"
        )
        return Problem(Scope.PERMANENT, text, HOST_RETRY, "", "5.4.7")
    if skipped:
        text = f"retry time not reached for any host{whose}"
        return Problem(Scope.HOST, text, HOST_RETRY, "", "4.4.1")
    if problems:
        return problems[-1]
    return Problem(Scope.HOST, "no host could be tried", -1, "", "4.4.4")
