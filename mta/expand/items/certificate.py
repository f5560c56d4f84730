"""The item that takes a certificate apart (Exim chapter 11, ``certextract``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from mta.errors import ExpansionError
from mta.expand.certificate import CertificateText
from mta.expand.registry import item

_NAME_LABELS = ("CN", "O", "OU", "DC", "C", "L", "ST", "STREET", "UID")
_ALTERNATIVES = {"dns": "DNSName", "uri": "UniformResourceIdentifier",
                 "mail": "RFC822Name"}  # fmt: skip
_READABLE_TIME = "%b %e %T %Y %z"


@item("certextract", least=2, most=2, branches=True)
def certextract(field: str, text: str) -> str | None:
    """A field of a certificate such as ``$tls_in_peercert``: ``subject,CN``."""
    if not text:
        return None
    if not isinstance(text, CertificateText):
        raise ExpansionError('what is given to "certextract" is no certificate')
    name, *modifiers = [word.strip() for word in field.split(",")]
    reader = _FIELDS.get(name.lower())
    if reader is None:
        raise ExpansionError(f'"{name}" is no field of a certificate in "certextract"')
    try:
        return reader(text.certificate, _Modifiers(modifiers))
    except ValueError:
        # A peer chose what is in it, and may have chosen nonsense.
        return None


class _Modifiers:
    """What stands behind a field's name: a separator, and words."""

    def __init__(self, texts: list[str]) -> None:
        self.separator = "\n"
        self.words = []
        for text in texts:
            if text.startswith(">") and len(text) > 1:
                self.separator = text[1]
            elif text:
                self.words.append(text)

    def list_of(self, values: list[str]) -> str | None:
        """Return a list; separators in its items are doubled."""
        twice = 2 * self.separator
        items = [value.replace(self.separator, twice) for value in values]
        return self.separator.join(items) if items else None

    def time_of(self, moment: datetime) -> str:
        """Return a time for people, or the seconds since the epoch."""
        seconds = int(moment.timestamp())
        if "int" in self.words:
            return str(seconds)
        return time.strftime(_READABLE_TIME, time.localtime(seconds))

    def name_of(self, name: Any) -> str | None:
        """Return a distinguished name, or the parts with one label."""
        if not self.words:
            return str(name.rfc4514_string())
        label = self.words[0].upper()
        if label not in _NAME_LABELS:
            raise ExpansionError(f'"{label}" is no part of a name in "certextract"')
        values = [
            str(attribute.value)
            for attribute in name
            if attribute.rfc4514_attribute_name == label
        ]
        return self.list_of(values)


def _alternatives(certificate: Any, modifiers: _Modifiers) -> str | None:
    extension = _extension(certificate, "SubjectAlternativeName")
    wanted = [word.lower() for word in modifiers.words]
    found = []
    for general_name in extension or ():
        for tag, kind in _ALTERNATIVES.items():
            if type(general_name).__name__ == kind and (not wanted or tag in wanted):
                prefix = "" if wanted else f"{tag.upper()}="
                found.append(f"{prefix}{general_name.value}")
    return modifiers.list_of(found)


def _responders(certificate: Any, modifiers: _Modifiers) -> str | None:
    extension = _extension(certificate, "AuthorityInformationAccess")
    return modifiers.list_of(
        [
            str(description.access_location.value)
            for description in extension or ()
            if description.access_method.dotted_string == "1.3.6.1.5.5.7.48.1"
        ]
    )


def _distribution_points(certificate: Any, modifiers: _Modifiers) -> str | None:
    extension = _extension(certificate, "CRLDistributionPoints")
    return modifiers.list_of(
        [str(name.value) for point in extension or () for name in point.full_name or ()]
    )


def _extension(certificate: Any, kind: str) -> Any:
    from cryptography import x509  # noqa: PLC0415 - start-up time

    try:
        return certificate.extensions.get_extension_for_class(getattr(x509, kind)).value
    except x509.ExtensionNotFound:
        return None


_FIELDS: dict[str, Callable[[Any, _Modifiers], str | None]] = {
    "version": lambda c, _: str(c.version.value + 1),
    "serial_number": lambda c, _: f"{c.serial_number:x}",
    "subject": lambda c, modifiers: modifiers.name_of(c.subject),
    "issuer": lambda c, modifiers: modifiers.name_of(c.issuer),
    "notbefore": lambda c, modifiers: modifiers.time_of(c.not_valid_before_utc),
    "notafter": lambda c, modifiers: modifiers.time_of(c.not_valid_after_utc),
    "sig_algorithm": lambda c, _: str(c.signature_algorithm_oid._name),
    "signature": lambda c, _: c.signature.hex(":"),
    "subj_altname": _alternatives,
    "ocsp_uri": _responders,
    "crl_uri": _distribution_points,
}
