"""The options by which an smtp transport secures its sessions (Exim chapters 30, 43)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterator

from mta.errors import TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import Expanded, HostList
from mta.host import Host
from mta.interfaces import ITemplate
from mta.options import Boolean, Configurable, Option, split_list
from mta.taint import untainted
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.transports.smtp_choices import ascii_name, expanded, is_empty, matches

PROTOCOL_LIMIT = 255


class ClientTLSOptions(Configurable):
    """What TLS with each host must be like."""

    protocol: str

    hosts_avoid_tls = Option(HostList, None, "Hosts with which TLS is not begun.")
    hosts_request_ocsp = Option(
        HostList, "*", "Hosts that are asked to staple an OCSP response."
    )
    hosts_require_alpn = Option(
        HostList, None, "Hosts that must choose one of the protocols of tls_alpn."
    )
    hosts_require_ocsp = Option(
        HostList,
        None,
        "Hosts that get nothing unless they staple a good OCSP response.",
    )
    hosts_require_tls = Option(HostList, None, "Hosts that get nothing without TLS.")
    hosts_nopass_tls = Option(
        HostList, None, "Hosts that get no second message on a connection with TLS."
    )
    hosts_verify_avoid_tls = Option(
        HostList, None, "Hosts with which callouts do not begin TLS, unless they must."
    )
    tls_alpn = Option(
        Expanded, None, "Names of protocols to offer by ALPN, such as smtp."
    )
    tls_certificate = Option(
        Expanded, None, "File with the certificate to show to servers that ask for one."
    )
    tls_crl = Option(
        Expanded, None, "Revocation lists for every certificate: a file or a directory."
    )
    tls_crl_fetch = Option(
        Boolean,
        "false",
        "Fetch the revocation lists that certificates without OCSP name, and keep them.",
    )
    tls_privatekey = Option(
        Expanded, None, "File with its key; by default the certificate's file."
    )
    tls_require_ciphers = Option(
        Expanded,
        None,
        "Ciphers in OpenSSL's notation; names that begin with TLS are those of TLS 1.3.",
    )
    tls_sni = Option(Expanded, None, "The server name to send; none if unset.")
    tls_tempfail_tryclear = Option(
        Boolean, "true", "Deliver in clear where TLS fails and is not required."
    )
    tls_try_verify_hosts = Option(
        HostList, "*", "Hosts whose certificate is verified without consequence."
    )
    tls_verify_cert_hostnames = Option(
        HostList, "*", "Hosts whose certificate must be for their name."
    )
    tls_verify_certificates = Option(
        Expanded, "system", "Trusted certificates: system, a file or a directory."
    )
    tls_verify_hosts = Option(
        HostList, None, "Hosts whose certificate must be verified."
    )

    @property
    def tls_texts(self) -> tuple[ITemplate | None, ...]:
        """The texts that may be different for each message."""
        return (
            self.tls_alpn,
            self.tls_certificate,
            self.tls_crl,
            self.tls_privatekey,
            self.tls_require_ciphers,
            self.tls_sni,
            self.tls_verify_certificates,
        )

    def warnings(self) -> Iterator[str]:
        """Give what a person should know who demands OCSP responses."""
        if is_empty(self.hosts_require_ocsp):
            return
        place = f"transport {self.name}: hosts_require_ocsp"
        if is_empty(self.hosts_require_tls):
            yield (
                f"{place} is set, but hosts_require_tls is not; such hosts get nothing "
                "without TLS here, other than from Exim: name them in both"
            )
        if is_empty(self.tls_verify_hosts) and not is_empty(self.tls_try_verify_hosts):
            yield (
                f"{place} is set, but tls_verify_hosts is not: a certificate that is "
                "not revoked may still be for another name"
            )
        authorities = self.tls_verify_certificates
        path = "" if authorities is None else (authorities.constant or "")
        if path != "system" and _names_nobody(path):
            yield (
                f"{place} is set, but no certificate in {path} names an OCSP responder: "
                "the authority may have none"
            )


async def tls_policy(
    options: ClientTLSOptions, host: Host, context: Context
) -> ClientTLSPolicy:
    """Return how sessions with a host are secured; raise TemporaryFailure."""
    staple = await staple_for(options, host, context)
    if options.protocol in ("smtps", "submissions"):
        start = Start.ON_CONNECT
    elif staple is Staple.REQUIRE or await matches(
        options.hosts_require_tls, host, context
    ):
        # Before the other list: what must not go in clear never does.  Without TLS
        # there is no staple.
        start = Start.REQUIRED
    elif await matches(options.hosts_avoid_tls, host, context):
        return ClientTLSPolicy(Start.NEVER, Verify.NEVER)
    else:
        start = Start.OFFERED
    verify = await _verify(options, host, context)
    named = await matches(options.tls_verify_cert_hostnames, host, context)
    trusted = await expanded(options.tls_verify_certificates, context)
    certificate = await expanded(options.tls_certificate, context)
    private_key = await expanded(options.tls_privatekey, context)
    return ClientTLSPolicy(
        start,
        verify,
        ascii_name(host.name) if named and verify is not Verify.NEVER else "",
        _server_name(await expanded(options.tls_sni, context)),
        untainted(trusted, "tls_verify_certificates") or "system",
        staple,
        untainted(await expanded(options.tls_crl, context), "tls_crl"),
        untainted(certificate, "tls_certificate"),
        untainted(private_key, "tls_privatekey"),
        untainted(
            await expanded(options.tls_require_ciphers, context), "tls_require_ciphers"
        ),
        _protocols(await expanded(options.tls_alpn, context)),
        await matches(options.hosts_require_alpn, host, context),
        fetches_lists=options.tls_crl_fetch,
    )


async def staple_for(options: ClientTLSOptions, host: Host, context: Context) -> Staple:
    """Return whether a host is asked for an OCSP response."""
    if await matches(options.hosts_require_ocsp, host, context):
        return Staple.REQUIRE
    if await matches(options.hosts_request_ocsp, host, context):
        return Staple.REQUEST
    return Staple.UNWANTED


async def _verify(options: ClientTLSOptions, host: Host, context: Context) -> Verify:
    must, may = options.tls_verify_hosts, options.tls_try_verify_hosts
    if is_empty(must) and is_empty(may):
        # Exim chapter 30: as it was before there were two lists.
        return Verify.REQUIRE
    if await matches(must, host, context):
        return Verify.REQUIRE
    if await matches(may, host, context):
        return Verify.TRY
    return Verify.NEVER


def _server_name(text: str) -> str:
    """Return what to send as SNI: no IP addresses (RFC 6066, section 3)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ascii_name(text)
    return ""


def _protocols(text: str) -> tuple[str, ...]:
    names = tuple(name for name in split_list(text) if name)
    for name in names:
        if not name.isascii() or len(name) > PROTOCOL_LIMIT:
            raise TemporaryFailure(
                "local problem", log_text=f'tls_alpn: "{name}" is no protocol\'s name'
            )
    return names


# 1.3.6.1.5.5.7.48.1, which stands before an OCSP responder's address (RFC 5280,
# section 4.2.2.1).
_RESPONDER = bytes.fromhex("06082b06010505073001")
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def _names_nobody(path: str) -> bool:
    """Return whether a file has certificates, and none of them names a responder."""
    try:
        with open(path, "rb") as file:
            parts = file.read().split(_BEGIN)[1:]
    except OSError:
        return False
    found = False
    for part in parts:
        try:
            octets = base64.b64decode(part.partition(_END)[0])
        except binascii.Error:
            continue
        if _RESPONDER in octets:
            return False
        found = True
    return found
