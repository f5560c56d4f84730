"""Main TLS options, and which certificate a connection is served.

OpenSSL is loaded when the first context is made, not with this module: it costs a
tenth of a second, and most commands never need it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mta.connection import TLSFacts
from mta.errors import (
    ConfigurationError,
    ExpansionError,
    ForcedFailure,
    TemporaryFailure,
)
from mta.expand.context import Context
from mta.expand.option_types import Expanded, HostList
from mta.interfaces import ILogs, ITemplate
from mta.options import Configurable, Option, split_list
from mta.reception.extensions import matches, matches_or_defers
from mta.taint import Tainted, untainted
from mta.tls.policy import Verify

if TYPE_CHECKING:
    from OpenSSL import SSL

    from mta.tls.certificates import SelfSigned
    from mta.tls.server import ServerTLS
    from mta.tls.staples import Staples

_LOOK_AGAIN = 5.0
_REMEMBERED = 64
_UNAVAILABLE = "TLS currently unavailable"
_SERVER_NAME_VARIABLES = ("tls_in_sni", "tls_sni", "tls_out_sni")


class TLSOptions(Configurable):
    """What TLS is like towards clients."""

    tls_advertise_hosts = Option(
        HostList, "*", "Hosts offered STARTTLS; an empty list switches TLS off."
    )
    tls_certificate = Option(
        Expanded,
        None,
        "PEM files with a certificate chain each, one for each kind of key; without "
        "one a self-signed certificate is made.",
    )
    tls_privatekey = Option(
        Expanded, None, "PEM files of the keys; by default in the certificates' files."
    )
    tls_ocsp_file = Option(
        Expanded,
        None,
        "Files with the OCSP responses that are stapled, one for each certificate; "
        "in DER, after PEM in PEM.",
    )
    tls_verify_hosts = Option(
        HostList, None, "Hosts that must have a certificate, if they use TLS."
    )
    tls_try_verify_hosts = Option(
        HostList, None, "Hosts that are asked for a certificate, and may have none."
    )
    tls_verify_certificates = Option(
        Expanded,
        "system",
        "Authorities that clients are verified by: system, a file or a directory.",
    )
    tls_require_ciphers = Option(
        Expanded, None, "The cipher suites allowed with TLS 1.2, as OpenSSL lists them."
    )


class _Wanted(NamedTuple):
    """What a context is made of; without ``authorities`` no client can be verified."""

    certificates: str = ""
    keys: str = ""
    ciphers: str = ""
    authorities: str = ""
    responses: str = ""

    @property
    def files(self) -> list[str]:
        """Every file that is read for it, but for OCSP responses.

        These are looked at whenever a client asks for one.
        """
        found = [*split_list(self.certificates), *split_list(self.keys)]
        return [*found, self.authorities] if self.authorities else found


@dataclass(slots=True)
class _Loaded:
    context: SSL.Context
    marks: tuple[tuple[str, int, int, int], ...]
    good_until: float


class ServerCertificates:
    """Gives each connection what it negotiates with; contexts are kept and shared.

    Files are looked at again every few seconds.  Where changed ones cannot be used,
    what was loaded before is still served.  ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        options: TLSOptions,
        *,
        host_name: str,
        logs: ILogs,
        clock: Callable[[], float],
    ) -> None:
        self.options = options
        self._host_name = host_name
        self._logs = logs
        self._clock = clock
        self._loaded: dict[_Wanted, _Loaded] = {}
        self._made: SelfSigned | None = None

    @property
    def is_on(self) -> bool:
        """False where no host is ever offered TLS."""
        hosts = self.options.tls_advertise_hosts
        return hosts is not None and hosts.text.strip() not in ("", ":")

    def prepare(self) -> None:
        """Load or make certificates that depend on nothing, before listening.

        What is wrong is logged; raises ConfigurationError for ciphers that OpenSSL
        does not know.
        """
        if not self.is_on:
            return
        options = self.options
        texts = [
            "" if template is None else template.constant
            for template in (
                options.tls_certificate,
                options.tls_privatekey,
                options.tls_require_ciphers,
                None,
                options.tls_ocsp_file,
            )
        ]
        if options.tls_certificate is None:
            self._logs.main(
                "Warning: No server certificate defined; will use a selfsigned one."
            )
            self._logs.main(" Suggested action: set tls_certificate")
        ciphers = options.tls_require_ciphers
        if ciphers is not None and ciphers.constant is not None:
            self._check_ciphers(ciphers.constant)
        if None not in texts:
            try:
                self._context(_Wanted(*(text or "" for text in texts)))
            except TemporaryFailure as error:
                self._logs.panic(f"TLS error: {error.log_text}")

    def _check_ciphers(self, ciphers: str) -> None:
        from OpenSSL import SSL  # noqa: PLC0415 - start-up time

        from mta.tls.server import server_context  # noqa: PLC0415 - start-up time

        try:
            server_context(ciphers)
        except SSL.Error as error:
            raise ConfigurationError(
                f"tls_require_ciphers invalid: {ciphers}"
            ) from error

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
            verify = await self._verify(context)
            wanted = await self._wanted(context, verify)
        except ExpansionError as error:
            raise TemporaryFailure(_UNAVAILABLE, log_text=str(error)) from error
        choose = None
        template = options.tls_certificate
        if template is not None and _depends_on_server_name(template.text):

            def choose(server_name: str) -> SSL.Context:
                return self._for_server_name(server_name, context, verify)

        return ServerTLS(self._context(wanted), verify, choose)

    async def _verify(self, context: Context) -> Verify:
        if await matches(self.options.tls_verify_hosts, context):
            return Verify.REQUIRE
        if await matches(self.options.tls_try_verify_hosts, context):
            return Verify.TRY
        return Verify.NEVER

    async def _wanted(self, context: Context, verify: Verify) -> _Wanted:
        options = self.options
        authorities = ""
        if verify is not Verify.NEVER:
            authorities = await _expanded(options.tls_verify_certificates, context)
        return _Wanted(
            await _expanded(options.tls_certificate, context),
            await _expanded(options.tls_privatekey, context),
            await _expanded(options.tls_require_ciphers, context),
            authorities,
            await _expanded(options.tls_ocsp_file, context),
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
            wanted = _at_once(self._wanted(context, verify))
            return self._context(wanted)
        except (ExpansionError, TemporaryFailure) as error:
            reason = getattr(error, "log_text", "") or str(error)
            self._logs.panic(f"TLS error: server name {server_name[:255]}: {reason}")
            raise
        finally:
            connection.tls = None

    def _context(self, wanted: _Wanted) -> SSL.Context:
        now = self._clock()
        loaded = self._loaded.get(wanted)
        if loaded is not None and now < loaded.good_until:
            return loaded.context
        from mta.tls.certificates import file_marks  # noqa: PLC0415 - start-up time

        marks = file_marks(wanted.files)
        if loaded is not None and wanted.certificates and marks == loaded.marks:
            loaded.good_until = now + _LOOK_AGAIN
            return loaded.context
        try:
            context = self._load(wanted, now)
        except TemporaryFailure as error:
            if loaded is None:
                raise
            self._logs.panic(f"TLS error: {error.log_text}; the earlier one is kept")
            loaded.marks, loaded.good_until = marks, now + _LOOK_AGAIN
            return loaded.context
        if len(self._loaded) >= _REMEMBERED:
            self._loaded.clear()
        good_until = now + _LOOK_AGAIN
        if not wanted.files and self._made is not None:
            good_until = self._made.expires
        self._loaded[wanted] = _Loaded(context, marks, good_until)
        return context

    def _load(self, wanted: _Wanted, now: float) -> SSL.Context:
        from OpenSSL import SSL  # noqa: PLC0415 - start-up time

        from mta.tls import certificates, server  # noqa: PLC0415 - start-up time

        try:
            context = server.server_context(wanted.ciphers)
        except SSL.Error as error:
            text = f"tls_require_ciphers invalid: {wanted.ciphers}"
            raise TemporaryFailure(_UNAVAILABLE, log_text=text) from error
        if wanted.authorities:
            server.trust(context, wanted.authorities)
        if wanted.certificates:
            paths = split_list(wanted.certificates)
            certificates.use_files(context, paths, split_list(wanted.keys))
            server.staple(context, self._staples(paths, wanted.responses))
            return context
        if self._made is None or self._made.expires <= now:
            self._made = certificates.make_self_signed(self._host_name, now)
        certificates.use_self_signed(context, self._made)
        server.staple(context, None)
        return context

    def _staples(self, certificates: list[str], responses: str) -> Staples:
        from mta.tls import staples  # noqa: PLC0415 - start-up time

        try:
            return staples.load_staples(
                certificates,
                staples.staple_files(split_list(responses)),
                logs=self._logs,
                clock=self._clock,
            )
        except OSError as error:
            # It was there a moment ago, when OpenSSL read it.
            text = f"cert/key setup: cert={error.filename}: {error.strerror}"
            raise TemporaryFailure(_UNAVAILABLE, log_text=text) from error


def _depends_on_server_name(text: str) -> bool:
    return any(name in text for name in _SERVER_NAME_VARIABLES)


def _at_once(coroutine: Coroutine[Any, Any, _Wanted]) -> _Wanted:
    """Return the result of a coroutine that must not wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        wanted: _Wanted = end.value
        return wanted
    coroutine.close()
    raise TemporaryFailure(
        _UNAVAILABLE, log_text="tls_certificate waits for a lookup inside the handshake"
    )


async def _expanded(template: ITemplate | None, context: Context) -> str:
    """Return a file list or cipher list; a forced failure is as good as unset."""
    if template is None:
        return ""
    try:
        return untainted(await template.expand(context), "file name")
    except ForcedFailure:
        return ""
