"""The log lines of deliveries: ``=>``, ``->``, ``==``, ``**`` (Exim chapter 52)."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from mta.address import Address
from mta.interfaces import ILogs
from mta.message import Message
from mta.options import format_interval
from mta.recipient import Outcome, Result, RoutedAddress
from mta.routers.base import Decision, Router

RETRY_TIME_NOT_REACHED = frozenset({-52, -53, -54})
REASON_LIMIT = 500


def note_reason(outcome: Outcome) -> None:
    """Keep with a recipient why it was not delivered, for listings of the queue."""
    recipient = outcome.address.recipient
    if recipient.reason and outcome.error in RETRY_TIME_NOT_REACHED:
        # That it is not yet time says less than what happened before.
        return
    reason = outcome.text
    if not reason and outcome.error > 0:
        reason = os.strerror(outcome.error)
    if outcome.host is not None:
        reason = f"{outcome.host.name} [{outcome.host.ip_address}]: {reason}"
    recipient.reason = str(reason)[:REASON_LIMIT]


class DeliveryLog:
    """Writes what became of addresses to the main log, fields in Exim's order.

    ``local_routers`` are the names of routers whose addresses are shown by local
    part alone (``log_as_local``).
    """

    def __init__(self, logs: ILogs, local_routers: Collection[str]) -> None:
        self._logs = logs
        self._local_routers = frozenset(local_routers)

    def delivered(
        self,
        message: Message,
        outcome: Outcome,
        return_path: Address,
        *,
        first: bool,
        now: float,
        size: int,
    ) -> None:
        """Write ``=>`` for the first address of a delivery, ``->`` for the others."""
        logs, address = self._logs, outcome.address
        parts = [f"{'=>' if first else '->'} {self.shown(address)}"]
        if logs.selects("sender_on_delivery"):
            parts.append(f"F=<{message.sender}>")
        if logs.selects("return_path_on_delivery"):
            parts.append(f"P=<{return_path}>")
        parts.append(f"R={address.router} T={address.transport}")
        if logs.selects("delivery_size"):
            parts.append(f"S={size}")
        if outcome.host is not None:
            parts.append(self._host(outcome))
        parts += outcome.log_fields
        if logs.selects("queue_time"):
            parts.append(f"QT={self._interval(now - message.received_at)}")
        if logs.selects("deliver_time"):
            parts.append(f"DT={self._interval(outcome.took)}")
        logs.main(" ".join(parts), message.message_id)

    def deferred(self, message: Message, outcome: Outcome) -> None:
        """Write ``==``; what only waits for its retry time is left out by selector."""
        logs, error = self._logs, outcome.error
        if error in RETRY_TIME_NOT_REACHED and not logs.selects("retry_defer"):
            return
        parts = [f"== {self.shown(outcome.address, success=False)}"]
        parts += self._places(outcome.address)
        text = outcome.text
        parts.append(f"defer ({error})")
        if error > 0:
            reason = os.strerror(error)
            parts[-1] += f": {reason}"
            text = "" if text == reason else text.removeprefix(f"{reason}: ")
        if outcome.host is not None:
            parts.append(self._host(outcome))
        parts += [field for field in outcome.log_fields if field.startswith("TLSV=")]
        if logs.selects("deliver_time") and outcome.took:
            parts.append(f"DT={self._interval(outcome.took)}")
        logs.main(_with_text(parts, text), message.message_id)

    def failed(self, message: Message, outcome: Outcome, return_path: Address) -> None:
        """Write ``**``."""
        logs, address = self._logs, outcome.address
        parts = [f"** {self.shown(address, success=False)}"]
        if logs.selects("sender_on_delivery"):
            parts.append(f"F=<{message.sender}>")
        if logs.selects("return_path_on_delivery"):
            parts.append(f"P=<{return_path}>")
        parts += self._places(address)
        if outcome.host is not None:
            parts.append(self._host(outcome))
        parts += [field for field in outcome.log_fields if not field.startswith("C=")]
        if logs.selects("deliver_time") and outcome.took:
            parts.append(f"DT={self._interval(outcome.took)}")
        logs.main(_with_text(parts, outcome.text), message.message_id)

    def timed_out(self, message: Message, address: RoutedAddress) -> None:
        """Write that an address is given up."""
        shown = self.shown(address, success=False)
        self._logs.main(f"** {shown}: retry timeout exceeded", message.message_id)

    def ignored(self, message: Message, address: RoutedAddress) -> None:
        """Write that nobody is told of a failure."""
        shown = self.shown(address, success=False)
        self._logs.main(f"{shown}: error ignored", message.message_id)

    def discarded(self, message: Message, address: RoutedAddress) -> None:
        """Write that a router threw an address away."""
        router = f" R={address.router}" if address.router else ""
        name = "" if address.parent is None else f" <{_top(address)}>"
        shown = name or f" <{address.address}>"
        self._logs.main(f"=> :blackhole:{shown}{router}", message.message_id)

    def bypassed(self, message: Message, address: RoutedAddress) -> None:
        """Write that a delivery to ``/dev/null`` was left out."""
        self._logs.main(
            f"=> {self.shown(address)} R={address.router} T=**bypassed**",
            message.message_id,
        )

    def completed(self, message: Message, now: float) -> None:
        """Write that nothing more is owed to a message."""
        text = "Completed"
        if self._logs.selects("queue_time_overall"):
            text += f" QT={self._interval(now - message.received_at)}"
        self._logs.main(text, message.message_id)

    def shown(self, address: RoutedAddress, *, success: bool = True) -> str:
        """Return an address as logs show it, the original in angle brackets."""
        top = _top(address)
        target = address.pipe_command or address.file_name or address.reply_text
        if target is not None:
            text = f"{target}"
        elif success and address.router in self._local_routers:
            text = address.address.local_part
        else:
            text = address.address.text
        if address.parent is not None and self._logs.selects("all_parents"):
            between = [a.address.text for a in address.ancestors[:-1]]
            if between:
                text += f" ({', '.join(between)})"
        if text.lower() != top.lower():
            text += f" <{top}>"
        return text

    def _places(self, address: RoutedAddress) -> list[str]:
        parts = []
        if address.router:
            parts.append(f"R={address.router}")
        if address.transport:
            parts.append(f"T={address.transport}")
        return parts

    def _host(self, outcome: Outcome) -> str:
        host = outcome.host
        assert host is not None
        secured = " DS" if host.secure and self._logs.selects("dnssec") else ""
        text = f"H={host.name}{secured} [{host.ip_address}]"
        if host.port is not None and self._logs.selects("outgoing_port"):
            text += f":{host.port}"
        return text + "*" if outcome.reused_connection else text

    def _interval(self, seconds: float) -> str:
        if self._logs.selects("millisec"):
            return f"{max(seconds, 0):.3f}s"
        return format_interval(int(max(seconds, 0)))


def _top(address: RoutedAddress) -> str:
    return address.recipient.address.text


def _with_text(parts: list[str], text: str) -> str:
    line = " ".join(parts)
    return f"{line}: {text}" if text else line


def from_decision(
    address: RoutedAddress, decision: Decision, result: Result
) -> Outcome:
    """Return the outcome that a router's refusal or deferral means."""
    address.transport = ""
    status = "5.1.1" if result is Result.FAILED else "4.4.3"
    is_told = (
        result is Result.FAILED or decision.user_text or decision.error_name == "lookup"
    )
    return Outcome(
        address,
        result,
        text=decision.text,
        status=status,
        error=decision.error or -1,
        error_name=decision.error_name,
        freeze=decision.freeze,
        local=True,
        report_text="" if is_told else "the address cannot be routed at this time",
    )


def log_as_local(routers: Mapping[str, Router]) -> list[str]:
    """Return the names of the routers whose addresses are logged by local part."""
    return [
        name
        for name, router in routers.items()
        if getattr(router, "extension_name", "") == "accept"
    ]
