"""Every exception, by what the caller must do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MTAError(Exception):
    """Root of all errors that this program raises on purpose."""


class ConfigurationError(MTAError):
    """The configuration cannot be used; the text says why, the place says where.

    ``file`` is a path and ``line`` a number from 1; both may be unknown when the
    error comes from the command line.
    """

    def __init__(self, text: str, file: str = "", line: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.file = file
        self.line = line

    def __str__(self) -> str:
        if not self.file:
            return self.text
        if not self.line:
            return f"configuration error in {self.file}: {self.text}"
        return f"configuration error in line {self.line} of {self.file}: {self.text}"


class ConfigurationErrors(ConfigurationError):
    """Everything that is wrong with a configuration, one clear line each."""

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        first = errors[0]
        super().__init__(first.text, first.file, first.line)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class ExpansionError(MTAError):
    """A string could not be expanded (Exim chapter 11); the text is for the log."""


class ForcedFailure(ExpansionError):
    """The word ``fail`` stood where a string was wanted; what it means depends on
    the option that is expanded."""


class TaintError(ExpansionError):
    """A value from the network stood where only a trusted one may stand."""


class DeliveryFailure(MTAError):
    """What went wrong with an address, a host or a message, for peer and log.

    ``text`` may go to the peer and into a report; ``log_text`` only to our log.
    ``status`` is an enhanced status code (RFC 3463), ``code`` an SMTP reply code.
    """

    code = 0

    def __init__(
        self,
        text: str,
        *,
        status: str = "",
        log_text: str = "",
        code: int = 0,
        **facts: Any,
    ) -> None:
        super().__init__(log_text or text)
        self.text = text
        self.status = status or self.default_status
        self.log_text = log_text or text
        self.code = code or self.code
        self.facts = facts

    default_status = "5.0.0"


class TemporaryFailure(DeliveryFailure):
    """It may work later: answer 4yz, keep the message and try again."""

    code = 451
    default_status = "4.0.0"


class PermanentFailure(DeliveryFailure):
    """It will not work: answer 5yz, or send a report to the sender."""

    code = 550
    default_status = "5.0.0"


class ProtocolError(MTAError):
    """The rules of a protocol were broken."""


class LocalProtocolError(ProtocolError):
    """We broke them: a defect of this program."""


class RemoteProtocolError(ProtocolError):
    """The peer broke them; ``reply_code`` is what a server answers."""

    def __init__(self, text: str, reply_code: int = 500) -> None:
        super().__init__(text)
        self.reply_code = reply_code


class SpoolError(MTAError):
    """The spool could not be written or read: nothing was accepted."""


class SpoolClosed(SpoolError):
    """The process ends, and what it had claimed was given back."""
