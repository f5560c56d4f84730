"""Which cipher suites may be negotiated."""

from __future__ import annotations

from OpenSSL import SSL


def use_ciphers(context: SSL.Context, text: str) -> None:
    """Limit a context to suites in OpenSSL's notation.

    Names with ``TLS_`` choose those of TLS 1.3, which others leave alone; with such
    names only, TLS 1.2 is not spoken.  Other names may have underscores for hyphens.
    Raises SSL.Error for what OpenSSL does not know.
    """
    words = text.replace(",", ":").replace(" ", ":").split(":")
    newer = [word for word in words if word.startswith("TLS_")]
    older = [word for word in words if word and not word.startswith("TLS_")]
    if newer:
        context.set_tls13_ciphersuites(":".join(newer).encode("ascii", "replace"))
    if older:
        names = ":".join(older).replace("_", "-")
        context.set_cipher_list(names.encode("ascii", "replace"))
    elif newer:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
