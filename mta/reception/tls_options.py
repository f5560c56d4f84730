"""Main options of TLS towards clients."""

from __future__ import annotations

from mta.expand.option_types import Expanded, ExpandedList, HostList
from mta.options import Boolean, Configurable, Integer, Option
from mta.tls.openssl_options import DEFAULT_TEXT, OpenSSLOptions


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
    tls_crl = Option(
        Expanded,
        None,
        "A file or directory of revocation lists; if set, there must be one of each "
        "authority in the chain of a client.",
    )
    tls_require_ciphers = Option(
        Expanded,
        None,
        "The cipher suites allowed, as OpenSSL lists them; names with ``TLS_`` are for "
        "TLS 1.3, which others leave alone.",
    )
    tls_eccurve = Option(
        Expanded,
        "auto",
        "The groups in which keys are agreed on, the preferred first, as OpenSSL "
        "names them; auto leaves that to OpenSSL.",
    )
    tls_dhparam = Option(
        Expanded,
        None,
        "The prime for Diffie-Hellman with TLS 1.2: none, default, ffdhe2048 and its "
        "kin, ike14 to ike18, or a file; unset means none.",
    )
    tls_dh_max_bits = Option(
        Integer, "2236", "A longer prime is as good as none, since clients break off."
    )
    openssl_options = Option(
        OpenSSLOptions,
        DEFAULT_TEXT,
        "OpenSSL's options, each with a plus or a minus before its name.",
    )
    tls_alpn = Option(
        ExpandedList,
        "smtp : esmtp",
        "Protocols of which a client may name one (ALPN); others are refused; an "
        "empty list does not look at what it names.",
    )
    hosts_require_alpn = Option(
        HostList, None, "Hosts that must name a protocol (ALPN), if they use TLS."
    )
    tls_remember_esmtp = Option(
        Boolean,
        "false",
        "Let clients that do not know better leave out EHLO inside TLS.",
    )
