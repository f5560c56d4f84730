"""OpenSSL's numbers and names in the words of RFCs."""

from __future__ import annotations

# X509_V_ERR_... of OpenSSL's x509_vfy.h, in the words of RFC 5280.
SSL_REASONS = {
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    7: "certificate signature failure",
    8: "CRL signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "invalid CA certificate",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
}


_KEY_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "DHE-DSS")


def standard_cipher_name(name: str) -> str:
    """Return the name that RFCs give a cipher suite of TLS 1.2 or 1.3."""
    if name.startswith("TLS_") or not name:
        return name
    for exchange in _KEY_EXCHANGES:
        if name.startswith(exchange + "-"):
            rest = name[len(exchange) + 1 :]
            break
    else:
        exchange, rest = "RSA", name
    if rest == "CHACHA20-POLY1305":
        rest += "-SHA256"
    for bits in ("128", "256"):
        rest = rest.replace(f"AES{bits}-GCM", f"AES-{bits}-GCM")
        rest = rest.replace(f"AES{bits}-CCM", f"AES-{bits}-CCM")
        rest = rest.replace(f"AES{bits}-SHA", f"AES-{bits}-CBC-SHA")
        rest = rest.replace(f"CAMELLIA{bits}-SHA", f"CAMELLIA-{bits}-CBC-SHA")
    return f"TLS_{exchange}_WITH_{rest}".replace("-", "_")
