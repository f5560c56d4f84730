"""The words of ``openssl_options``, which adjust what OpenSSL does.

The numbers are those of OpenSSL's ``ssl.h``, and are not asked of OpenSSL: it costs a
tenth of a second to load, and most commands never need it.
"""

from __future__ import annotations

from difflib import get_close_matches

from mta.options import Source

_BITS = {
    "cipher_server_preference": 22,
    "cleanse_plaintext": 1,
    "cryptopro_tlsext_bug": 31,
    "dont_insert_empty_fragments": 11,
    "no_compression": 17,
    "no_encrypt_then_mac": 19,
    "no_renegotiation": 30,
    "no_session_resumption_on_renegotiation": 16,
    "no_sslv3": 25,
    "no_ticket": 14,
    "no_tlsv1": 26,
    "no_tlsv1_1": 28,
    "no_tlsv1_2": 27,
    "no_tlsv1_3": 29,
    "prioritize_chacha": 21,
    "safari_ecdhe_ecdsa_bug": 6,
}
# What OpenSSL still takes, but has no use for.
_WITHOUT_MEANING = (
    "ephemeral_rsa microsoft_big_sslv3_buffer microsoft_sess_id_bug "
    "msie_sslv2_rsa_padding netscape_ca_dn_bug netscape_challenge_bug "
    "netscape_demo_cipher_change_bug netscape_reuse_cipher_change_bug no_sslv2 "
    "pkcs1_check_1 pkcs1_check_2 single_dh_use single_ecdh_use "
    "ssleay_080_client_dh_bug sslref2_reuse_cert_type_bug tls_block_padding_bug "
    "tls_d5_bug"
).split()
# SSL_OP_ALL: workarounds that do no harm.
_ALL = ("cryptopro_tlsext_bug", "dont_insert_empty_fragments", "safari_ecdhe_ecdsa_bug")
_TOO_OLD = "TLS 1.2 is the oldest version that is spoken here"
_KEPT = {
    "no_compression": "it would give away what is encrypted",
    "no_renegotiation": "clients could make the server compute without end",
    "no_sslv2": _TOO_OLD,
    "no_sslv3": _TOO_OLD,
    "no_ticket": "sessions are never resumed here",
    "no_tlsv1": _TOO_OLD,
    "no_tlsv1_1": _TOO_OLD,
}
_REFUSED = {
    "allow_client_renegotiation": "clients could make the server compute without end",
    "allow_no_dhe_kex": "sessions are never resumed here",
    "allow_unsafe_legacy_renegotiation": "it lets others put words before a client's",
    "enable_ktls": "the system's TLS is not used here",
    "legacy_server_connect": "it means nothing to a server",
    "no_extended_master_secret": "it lets one session pass for another",
    "tls_rollback_bug": "it lets others choose an older version",
    "tlsext_padding": "it means nothing to a server",
}


def _mask(*names: str) -> int:
    return sum(1 << _BITS[name] for name in names)


DEFAULT_BITS = _mask(
    "cipher_server_preference", "no_compression", "no_renegotiation", "no_ticket"
)
DEFAULT_TEXT = "+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation"


class OpenSSLOptionsType:
    """The option type of words with a plus or a minus; the value is OpenSSL's."""

    name = "string"

    def parse(self, text: str, source: Source) -> int:
        """Return the bits; raise ConfigurationError for what cannot be had."""
        bits = DEFAULT_BITS
        for word in text.replace("+", " +").replace("-", " -").split():
            sign, name = word[0], word[1:].lower()
            try:
                mask = _bits_of(sign, name)
            except ValueError as error:
                raise source.error(f'"{word}" cannot be had: {error}') from error
            bits = bits | mask if sign == "+" else bits & ~mask
        if bits & (newest := _mask("no_tlsv1_2", "no_tlsv1_3")) == newest:
            raise source.error("no version of TLS is left")
        return bits


def _bits_of(sign: str, name: str) -> int:
    if sign not in "+-":
        raise ValueError("it begins with neither + nor -")
    if name == "all":
        return _mask(*_ALL)
    if sign == "-" and name in _KEPT:
        raise ValueError(_KEPT[name])
    if name in _REFUSED:
        if sign == "-":
            return 0
        raise ValueError(_REFUSED[name])
    if name in _WITHOUT_MEANING:
        return 0
    if name not in _BITS:
        near = get_close_matches(name, [*_BITS, *_WITHOUT_MEANING, *_REFUSED], 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise ValueError(f"there is no such OpenSSL option{hint}")
    return 1 << _BITS[name]


OpenSSLOptions = OpenSSLOptionsType()
