"""Is this certificate for this host? (RFC 6125; Exim chapter 43)"""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.x509.oid import NameOID


def is_for(
    certificate: x509.Certificate, name: str, *, by_subject: bool = True
) -> bool:
    """Return whether a certificate was issued for a host name or IP address.

    The subject alternative names count; the common name only where there are none
    of the kind, and ``by_subject`` lets it.
    """
    try:
        wanted_address = ipaddress.ip_address(name)
    except ValueError:
        wanted_address = None
    alternatives = _alternatives(certificate)
    if wanted_address is not None:
        addresses = alternatives.get_values_for_type(x509.IPAddress)
        return wanted_address in addresses
    patterns = alternatives.get_values_for_type(x509.DNSName)
    if not patterns and by_subject:
        patterns = [
            str(attribute.value)
            for attribute in certificate.subject.get_attributes_for_oid(
                NameOID.COMMON_NAME
            )
        ]
    return any(matches(pattern, name) for pattern in patterns)


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        ValueError,
    ):
        # What cannot be read names nobody.
        return x509.SubjectAlternativeName([])
    return extension.value


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is what a certificate says.

    One wildcard may stand for the whole first label, where two more follow.
    """
    pattern = pattern.rstrip(".").lower()
    name = name.rstrip(".").lower()
    if not pattern.startswith("*."):
        return pattern == name and bool(name)
    rest = pattern[1:]
    first, dot, others = name.partition(".")
    return rest.count(".") >= 2 and bool(first) and dot + others == rest
