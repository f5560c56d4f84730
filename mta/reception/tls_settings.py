"""What the options of TLS say for one client, once they are expanded."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from mta import coroutines
from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.interfaces import ITemplate
from mta.reception.extensions import matches
from mta.reception.tls_options import TLSOptions
from mta.taint import untainted
from mta.tls.policy import Verify
from mta.tls.server_settings import UNAVAILABLE, TLSSettings

_SERVER_NAME_VARIABLES = ("tls_in_sni", "tls_sni", "tls_out_sni")


async def verify_of(options: TLSOptions, context: Context) -> Verify:
    """Return what a client's certificate is for; raise TemporaryFailure."""
    if await matches(options.tls_verify_hosts, context):
        return Verify.REQUIRE
    if await matches(options.tls_try_verify_hosts, context):
        return Verify.TRY
    return Verify.NEVER


async def settings_for(
    options: TLSOptions, context: Context, verify: Verify
) -> TLSSettings:
    """Return what holds for a client; raise ExpansionError."""
    authorities = revocations = ""
    if verify is not Verify.NEVER:
        authorities = await _expanded(options.tls_verify_certificates, context)
        revocations = await _expanded(options.tls_crl, context)
        if not authorities:
            raise TemporaryFailure(
                UNAVAILABLE,
                log_text="tls_verify_certificates is empty: nobody can be verified",
            )
    return TLSSettings(
        await _expanded(options.tls_certificate, context),
        await _expanded(options.tls_privatekey, context),
        await _expanded(options.tls_ocsp_file, context),
        await _expanded(options.tls_require_ciphers, context),
        await _expanded(options.tls_eccurve, context),
        await _expanded(options.tls_dhparam, context),
        authorities,
        revocations,
    )


def constant_settings(options: TLSOptions) -> list[TLSSettings]:
    """Return what holds for all clients, and for all that are verified.

    What varies from client to client is left out.
    """
    texts = [
        _constant(template)
        for template in (
            options.tls_certificate,
            options.tls_privatekey,
            options.tls_ocsp_file,
            options.tls_require_ciphers,
            options.tls_eccurve,
            options.tls_dhparam,
        )
    ]
    found = [text for text in texts if text is not None]
    if len(found) < len(texts):
        return []
    settings = TLSSettings(*found)
    hosts = (options.tls_verify_hosts, options.tls_try_verify_hosts)
    authorities = _constant(options.tls_verify_certificates)
    revocations = _constant(options.tls_crl)
    if not any(hosts) or not authorities or revocations is None:
        return [settings]
    verifying = settings._replace(authorities=authorities, revocations=revocations)
    return [settings, verifying]


def _constant(template: ITemplate | None) -> str | None:
    return "" if template is None else template.constant


def depends_on_server_name(template: ITemplate | None) -> bool:
    """Return whether certificates are chosen by what the client asks for (SNI)."""
    return template is not None and any(
        name in template.text for name in _SERVER_NAME_VARIABLES
    )


def at_once(coroutine: Coroutine[Any, Any, TLSSettings]) -> TLSSettings:
    """Return the result of a coroutine that must not wait: OpenSSL does not."""
    try:
        return coroutines.at_once(coroutine)
    except coroutines.StillWaits as error:
        text = "tls_certificate waits for a lookup inside the handshake"
        raise TemporaryFailure(UNAVAILABLE, log_text=text) from error


async def _expanded(template: ITemplate | None, context: Context) -> str:
    """Return a file list or cipher list; a forced failure is as good as unset."""
    if template is None:
        return ""
    try:
        return untainted(await template.expand(context), "file name")
    except ForcedFailure:
        return ""
