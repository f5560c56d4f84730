"""OpenSSL contexts of clients, one for each set of files and ciphers."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL

from mta.errors import TemporaryFailure
from mta.tls.certificates import reason_of, use_files
from mta.tls.ciphers import use_ciphers
from mta.tls.files import file_marks
from mta.tls.policy import ClientTLSPolicy
from mta.tls.trust import load_revocations, trust_files, use_revocations

CONTEXTS_LIMIT = 100
_TOLD = "TLS currently unavailable"


class ClientContexts:
    """Makes contexts, and makes them anew when a file of theirs has changed.

    ``status_came`` is OpenSSL's callback for OCSP responses.
    """

    def __init__(self, status_came: Any) -> None:
        self._status_came = status_came
        self._known: dict[object, tuple[object, SSL.Context]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def context(self, policy: ClientTLSPolicy) -> SSL.Context:
        """Return the context for a policy; raise TemporaryFailure."""
        key = (
            policy.certificates,
            policy.crl,
            policy.certificate,
            policy.private_key,
            policy.ciphers,
        )
        files = [path for path in (policy.certificate, policy.private_key) if path]
        marks = file_marks(files + trust_files(policy.certificates, policy.crl))
        known = self._known.get(key)
        if known is not None and known[0] == marks:
            return known[1]
        context = self._make(policy)
        self._known.pop(key, None)
        if len(self._known) >= CONTEXTS_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[key] = (marks, context)
        return context

    def _make(self, policy: ClientTLSPolicy) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # No session is ever resumed: nothing would be proved anew then.
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_ocsp_client_callback(self._status_came)
        if policy.ciphers:
            try:
                use_ciphers(context, policy.ciphers)
            except SSL.Error as error:
                reason = reason_of(error)
                option = "tls_require_ciphers"
                raise _unusable(option, policy.ciphers, reason) from error
        _trust(context, policy.certificates)
        if policy.crl:
            store = context.get_cert_store()
            assert store is not None
            use_revocations(store, load_revocations(policy.crl))
        if policy.certificate:
            keys = [policy.private_key] if policy.private_key else []
            use_files(context, [policy.certificate], keys)
        return context


def _trust(context: SSL.Context, certificates: str) -> None:
    option = "tls_verify_certificates"
    try:
        if certificates == "system":
            context.set_default_verify_paths()
        elif os.path.isdir(certificates):
            context.load_verify_locations(None, certificates)
        else:
            # OpenSSL does not say why it cannot read a file.
            with open(certificates, "rb"):
                pass
            context.load_verify_locations(certificates)
    except OSError as error:
        raise _unusable(option, certificates, reason_of(error)) from error
    except SSL.Error as error:
        raise _unusable(option, certificates, "no certificates in it") from error


def _unusable(option: str, value: str, reason: str) -> TemporaryFailure:
    return TemporaryFailure(_TOLD, log_text=f"cannot use {option} {value}: {reason}")
