"""What ``-bV`` tells of TLS, which a daemon would tell when it starts."""

from __future__ import annotations

from mta.assembly import Assembly
from mta.reception.tls import ServerCertificates
from mta.reception.tls_options import TLSOptions


def check_tls(assembly: Assembly) -> list[str]:
    """Return what is wrong with files of TLS towards clients, as far as we may read.

    Raises ConfigurationError for what can never be used.  Without settings of TLS there
    is nothing to be wrong, and OpenSSL is not loaded.
    """
    options = assembly.configuration.main(TLSOptions)
    if not options.settings:
        return []
    noted = NotedWarnings()
    certificates = ServerCertificates(
        options,
        host_name=assembly.site.primary_hostname,
        logs=noted,
        clock=assembly.site.clock,
    )
    problems = certificates.problems()
    return [*noted.warnings, *problems]


class NotedWarnings:
    """A log that keeps what the main log would have been told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def main(self, text: str, message_id: str = "") -> None:
        """Keep a line."""
        self.warnings.append(text.removeprefix("Warning: "))

    def reject(self, text: str, message_id: str = "", detail: str = "") -> None:
        """Nobody is rejected."""

    def reject_only(self, text: str, message_id: str = "") -> None:
        """Nobody is rejected."""

    def panic(self, text: str, message_id: str = "") -> None:
        """Proofs are not looked at: there need not be any yet."""

    def selects(self, selector: str) -> bool:
        """Return that nothing more is wanted."""
        return False
