"""A server by the system's OpenSSL, which staples whatever octets it is told to.

The OpenSSL that the program uses since 4.0 reads what it staples, and sends nothing
that is no OCSP response.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from tests.tls.proofs import Holder

_SET_VERSION_MAXIMUM = 124
_SET_STATUS_CALLBACK = 63
_SET_STATUS_RESPONSE = 71
_ADD_ISSUER = 14
_NO_ANSWER = 3
_LIMIT = 1 << 16
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_POINTERS = (
    "TLS_server_method SSL_CTX_new SSL_new BIO_new BIO_s_mem d2i_X509 d2i_AutoPrivateKey "
    "CRYPTO_malloc"
)
VERSIONS = {"TLS1.2": 0x303, "TLS1.3": 0x304}


def load() -> Any:
    """Return the library, None where there is none that this can be done with."""
    try:
        library = ctypes.CDLL("libssl.so.3")
        crypto = ctypes.CDLL("libcrypto.so.3")
        for name in _POINTERS.split():
            owner = library if name.startswith(("SSL", "TLS")) else crypto
            getattr(owner, name).restype = ctypes.c_void_p
        crypto.OpenSSL_version_num.restype = ctypes.c_ulong
        if crypto.OpenSSL_version_num() >> 28 != 3:
            return None
    except (OSError, AttributeError):
        return None
    return library, crypto


class PlainServer:
    """One handshake's server; ``staple`` is None for none, ``issuers`` go behind the
    certificate."""

    def __init__(
        self,
        holder: Holder,
        staple: bytes | None,
        version: str,
        issuers: Sequence[Holder] = (),
    ) -> None:
        self._ssl_library, self._crypto = load()
        self._staple = staple
        ssl, crypto = self._ssl_library, self._crypto
        pointer = ctypes.c_void_p
        self._context = pointer(ssl.SSL_CTX_new(pointer(ssl.TLS_server_method())))
        number = ctypes.c_long(VERSIONS[version])
        ssl.SSL_CTX_ctrl(self._context, _SET_VERSION_MAXIMUM, number, None)
        certificate, key = holder.der, holder.key_der
        ssl.SSL_CTX_use_certificate_ASN1(self._context, len(certificate), certificate)
        given = ctypes.c_char_p(key)
        private = pointer(
            crypto.d2i_AutoPrivateKey(
                None, ctypes.byref(given), ctypes.c_long(len(key))
            )
        )
        ssl.SSL_CTX_use_PrivateKey(self._context, private)
        crypto.EVP_PKEY_free(private)
        for issuer in issuers:
            octets = issuer.der
            given = ctypes.c_char_p(octets)
            length = ctypes.c_long(len(octets))
            added = pointer(crypto.d2i_X509(None, ctypes.byref(given), length))
            ssl.SSL_CTX_ctrl(self._context, _ADD_ISSUER, 0, added)
        self._callback = _CALLBACK(self._answer)
        ssl.SSL_CTX_callback_ctrl(self._context, _SET_STATUS_CALLBACK, self._callback)
        self._ssl = pointer(ssl.SSL_new(self._context))
        memory = pointer(crypto.BIO_s_mem())
        self._input = pointer(crypto.BIO_new(memory))
        self._output = pointer(crypto.BIO_new(memory))
        ssl.SSL_set_bio(self._ssl, self._input, self._output)
        ssl.SSL_set_accept_state(self._ssl)

    def _answer(self, ssl: Any, _argument: Any) -> int:
        if self._staple is None:
            return _NO_ANSWER
        length = len(self._staple)
        octets = self._crypto.CRYPTO_malloc(ctypes.c_size_t(length or 1), b"", 0)
        ctypes.memmove(octets, self._staple, length)
        self._ssl_library.SSL_ctrl(
            ctypes.c_void_p(ssl),
            _SET_STATUS_RESPONSE,
            ctypes.c_long(length),
            ctypes.c_void_p(octets),
        )
        return 0

    def turn(self, octets: bytes) -> bytes:
        """Take what the client sent and return what the server answers."""
        if octets:
            self._crypto.BIO_write(self._input, octets, len(octets))
        self._ssl_library.SSL_do_handshake(self._ssl)
        buffer = ctypes.create_string_buffer(_LIMIT)
        count = self._crypto.BIO_read(self._output, buffer, _LIMIT)
        return buffer.raw[: max(count, 0)]

    def close(self) -> None:
        """Free what the library holds."""
        self._ssl_library.SSL_free(self._ssl)
        self._ssl_library.SSL_CTX_free(self._context)
