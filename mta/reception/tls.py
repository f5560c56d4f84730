"""Main TLS options, and which certificate a connection is served.

OpenSSL is loaded when the first context is made, not with this module: it costs a
tenth of a second, and most commands never need it.
"""

from __future__ import annotations

from collections.abc import Callable
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
from mta.options import Configurable, Option, Source, split_list
from mta.reception.extensions import matches_or_defers
from mta.taint import untainted

if TYPE_CHECKING:
    from mta.tls.certificates import SelfSigned
    from mta.tls.server import ServerTLS

_LOOK_AGAIN = 5.0
_REMEMBERED = 64
_UNAVAILABLE = "TLS currently unavailable"
_SERVER_NAME_VARIABLES = ("tls_in_sni", "tls_sni", "tls_out_sni")


class _FilesType:
    name = "string list"

    def parse(self, text: str, source: Source) -> ITemplate:
        if any(name in text for name in _SERVER_NAME_VARIABLES):
            raise source.error(
                "a certificate that depends on the server name (SNI) is not supported"
            )
        return Expanded.parse(text, source)


Files = _FilesType()


class TLSOptions(Configurable):
    """What TLS is like towards clients."""

    tls_advertise_hosts = Option(
        HostList, "*", "Hosts offered STARTTLS; an empty list switches TLS off."
    )
    tls_certificate = Option(
        Files,
        None,
        "PEM files with a certificate chain each, one for each kind of key; without "
        "one a self-signed certificate is made.",
    )
    tls_privatekey = Option(
        Files, None, "PEM files of the keys; by default in the certificates' files."
    )
    tls_require_ciphers = Option(
        Expanded, None, "The cipher suites allowed with TLS 1.2, as OpenSSL lists them."
    )


class _Wanted(NamedTuple):
    certificates: str = ""
    keys: str = ""
    ciphers: str = ""

    @property
    def files(self) -> list[str]:
        """Every file that is read for it."""
        return [*split_list(self.certificates), *split_list(self.keys)]


@dataclass(slots=True)
class _Loaded:
    tls: ServerTLS
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
        options = self.options
        try:
            return self._context(
                _Wanted(
                    await _expanded(options.tls_certificate, context),
                    await _expanded(options.tls_privatekey, context),
                    await _expanded(options.tls_require_ciphers, context),
                )
            )
        except ExpansionError as error:
            raise TemporaryFailure(_UNAVAILABLE, log_text=str(error)) from error

    def _context(self, wanted: _Wanted) -> ServerTLS:
        now = self._clock()
        loaded = self._loaded.get(wanted)
        if loaded is not None and now < loaded.good_until:
            return loaded.tls
        from mta.tls.certificates import file_marks  # noqa: PLC0415 - start-up time

        marks = file_marks(wanted.files)
        if loaded is not None and wanted.certificates and marks == loaded.marks:
            loaded.good_until = now + _LOOK_AGAIN
            return loaded.tls
        try:
            tls = self._load(wanted, now)
        except TemporaryFailure as error:
            if loaded is None:
                raise
            self._logs.panic(f"TLS error: {error.log_text}; the earlier one is kept")
            loaded.marks, loaded.good_until = marks, now + _LOOK_AGAIN
            return loaded.tls
        if len(self._loaded) >= _REMEMBERED:
            self._loaded.clear()
        good_until = now + _LOOK_AGAIN
        if not wanted.certificates and self._made is not None:
            good_until = self._made.expires
        self._loaded[wanted] = _Loaded(tls, marks, good_until)
        return tls

    def _load(self, wanted: _Wanted, now: float) -> ServerTLS:
        from OpenSSL import SSL  # noqa: PLC0415 - start-up time

        from mta.tls import certificates  # noqa: PLC0415 - start-up time
        from mta.tls.server import ServerTLS, server_context  # noqa: PLC0415 - the same

        try:
            context = server_context(wanted.ciphers)
        except SSL.Error as error:
            text = f"tls_require_ciphers invalid: {wanted.ciphers}"
            raise TemporaryFailure(_UNAVAILABLE, log_text=text) from error
        if wanted.certificates:
            certificates.use_files(
                context, split_list(wanted.certificates), split_list(wanted.keys)
            )
            return ServerTLS(context)
        if self._made is None or self._made.expires <= now:
            self._made = certificates.make_self_signed(self._host_name, now)
        certificates.use_self_signed(context, self._made)
        return ServerTLS(context)

    @staticmethod
    def facts(handle: Any, *, on_connect: bool) -> TLSFacts:
        """Return what a finished handshake shows, from its OpenSSL connection."""
        from mta.tls.server import facts  # noqa: PLC0415 - start-up time

        return facts(handle, on_connect=on_connect)


async def _expanded(template: ITemplate | None, context: Context) -> str:
    """Return a file list or cipher list; a forced failure is as good as unset."""
    if template is None:
        return ""
    try:
        return untainted(await template.expand(context), "file name")
    except ForcedFailure:
        return ""
