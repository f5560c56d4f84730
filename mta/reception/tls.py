"""Which certificate a connection is served, and what else it negotiates with.

OpenSSL is loaded when the first context is made, not with this module: it costs a
tenth of a second, and most commands never need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mta.connection import TLSFacts
from mta.errors import ConfigurationError, ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.interfaces import ILogs, ITemplate
from mta.options import Source
from mta.reception.extensions import matches, matches_or_defers
from mta.reception.tls_options import TLSOptions
from mta.reception.tls_settings import (
    at_once,
    constant_settings,
    depends_on_server_name,
    settings_for,
    verify_of,
)
from mta.taint import Tainted
from mta.tls.policy import Verify
from mta.tls.server_settings import UNAVAILABLE, TLSSettings

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL import SSL

    from mta.tls.server import ServerTLS
    from mta.tls.server_contexts import ServerContexts
    from mta.tls.staples import ProofFiles

_NAME_SHOWN = 255
_SHORTEST_PRIME = 1024


class ServerCertificates:
    """Gives each connection what it negotiates with; contexts are kept and shared.

    Files are looked at again every few seconds.  Where changed ones cannot be used,
    what was loaded before is still served.  ``clock`` gives seconds since the epoch.
    ``proofs`` keeps OCSP responses, if anybody does.
    """

    def __init__(
        self,
        options: TLSOptions,
        *,
        host_name: str,
        logs: ILogs,
        clock: Callable[[], float],
        proofs: ProofFiles | None = None,
    ) -> None:
        self.options = options
        self._host_name = host_name
        self._logs = logs
        self._clock = clock
        self._proofs = proofs
        self._made: ServerContexts | None = None

    @property
    def is_on(self) -> bool:
        """False where no host is ever offered TLS."""
        hosts = self.options.tls_advertise_hosts
        return hosts is not None and hosts.text.strip() not in ("", ":")

    @property
    def contexts(self) -> ServerContexts:
        """What all clients share."""
        if self._made is None:
            from mta.tls.server_contexts import (  # noqa: PLC0415 - start-up time
                ServerContexts,
            )

            self._made = ServerContexts(
                host_name=self._host_name,
                bits=self.options.openssl_options,
                longest_prime=self.options.tls_dh_max_bits,
                proofs=self._proofs,
                logs=self._logs,
                clock=self._clock,
            )
        return self._made

    def served(self) -> Iterator[x509.Certificate]:
        """Give the certificates from files that are served now."""
        if self._made is not None:
            for pair in self._made.pairs():
                yield pair.certificate

    def look_again(self) -> None:
        """Look at all files when the next client comes, however short ago that was."""
        if self._made is not None:
            self._made.look_again()

    def prepare(self) -> None:
        """Load or make certificates that depend on nothing, before listening.

        What is wrong is logged; raises ConfigurationError for what OpenSSL does not
        know.
        """
        if not self.is_on:
            return
        options = self.options
        if options.tls_certificate is None:
            self._logs.main(
                "Warning: No server certificate defined; will use a selfsigned one."
            )
            self._logs.main(" Suggested action: set tls_certificate")
        self._check_names()
        for settings in constant_settings(options):
            try:
                self.contexts.context(settings)
            except TemporaryFailure as error:
                self._logs.panic(f"TLS error: {error.log_text}")

    def problems(self) -> list[str]:
        """Return what is wrong with files, but for proofs, which may come later.

        Raises ConfigurationError for what OpenSSL does not know.
        """
        if not self.is_on:
            return []
        self._check_names()
        found = []
        for settings in constant_settings(self.options):
            try:
                self.contexts.context(settings._replace(responses=""))
            except TemporaryFailure as error:
                found.append(f"TLS error: {error.log_text}")
        return list(dict.fromkeys(found))

    def _check_names(self) -> None:
        """Find names that OpenSSL does not know, and limits that mean nothing."""
        contexts, options = self.contexts, self.options
        authorities, longest = options.tls_verify_certificates, options.tls_dh_max_bits
        if (options.tls_verify_hosts or options.tls_try_verify_hosts) and (
            authorities is None or authorities.constant == ""
        ):
            text = "without any, nobody of tls_verify_hosts can be verified"
            raise self._error("tls_verify_certificates", text)
        if longest < _SHORTEST_PRIME:
            raise self._error("tls_dh_max_bits", f"it is below {_SHORTEST_PRIME}")
        self._check(
            "tls_require_ciphers", lambda t: contexts.blank(TLSSettings(ciphers=t))
        )
        self._check("tls_eccurve", lambda t: contexts.blank(TLSSettings(groups=t)))
        if self._check("tls_dhparam", contexts.prime) == b"":
            self._logs.main(
                "Warning: tls_dhparam has more bits than tls_dh_max_bits "
                f"({longest}), and is not used"
            )

    def _check(self, name: str, use: Callable[[str], object]) -> object:
        """Try to use a text that is always the same; return what it gives."""
        template: ITemplate | None = getattr(self.options, name)
        if template is None or template.constant in (None, "", "none"):
            return None
        try:
            return use(str(template.constant))
        except TemporaryFailure as error:
            raise self._error(name, error.log_text) from error

    def _error(self, name: str, text: str) -> ConfigurationError:
        """Return the error that names an option's place."""
        settings = self.options.settings.get(name)
        place = settings[0].source if settings else Source(option=name)
        if not text.startswith(name):
            text = f"{name}: {text}"
        return ConfigurationError(text, place.file, place.line)

    async def is_offered(self, context: Context) -> bool:
        """Return whether the client is to see STARTTLS."""
        hosts = self.options.tls_advertise_hosts
        return self.is_on and await matches_or_defers(hosts, context)

    async def for_client(self, context: Context) -> ServerTLS:
        """Return what the client's connection negotiates with.

        Raises TemporaryFailure with the reason for the log.
        """
        from mta.tls.server import ServerTLS  # noqa: PLC0415 - start-up time

        options = self.options
        try:
            verify = await verify_of(options, context)
            settings = await settings_for(options, context, verify)
            protocols = await options.tls_alpn.items(context)
            needs_protocol = await matches(options.hosts_require_alpn, context)
        except ExpansionError as error:
            raise TemporaryFailure(UNAVAILABLE, log_text=str(error)) from error
        choose = None
        if depends_on_server_name(options.tls_certificate):

            def choose(server_name: str) -> SSL.Context:
                return self._for_server_name(server_name, context, verify)

        return ServerTLS(
            self.contexts.context(settings),
            verify,
            choose,
            protocols=_in_octets(protocols),
            needs_protocol=needs_protocol,
        )

    def _for_server_name(
        self, server_name: str, context: Context, verify: Verify
    ) -> SSL.Context:
        """Return the context for the name that a client asks for (SNI).

        It is asked for in the middle of a handshake, which cannot wait.
        """
        connection = context.connection
        connection.tls = TLSFacts("", "", sni=Tainted(server_name))
        try:
            return self.contexts.context(
                at_once(settings_for(self.options, context, verify))
            )
        except Exception as error:
            reason = getattr(error, "log_text", "") or str(error)
            name = server_name[:_NAME_SHOWN]
            self._logs.panic(f"TLS error: server name {name}: {reason}")
            raise
        finally:
            connection.tls = None


def _in_octets(names: Sequence[str]) -> frozenset[bytes]:
    return frozenset(name.encode("utf-8", "surrogateescape") for name in names)
