"""Certificates as values of variables."""

from __future__ import annotations

from typing import Any

from mta.expand.octets import octets_of
from mta.taint import Tainted


class CertificateText(Tainted):
    """A certificate: the text is PEM, while operators that hash or encode see DER.

    It stays one only as long as it stands alone; a peer chose what is in it.
    """

    __slots__ = ("certificate",)

    certificate: Any

    @classmethod
    def of(cls, certificate: Any) -> CertificateText:
        """Return the text of a certificate of the library ``cryptography``."""
        # The library is loaded already, by whoever made the certificate.
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            Encoding,
        )

        text = cls(certificate.public_bytes(Encoding.PEM).decode("ascii"))
        text.certificate = certificate
        return text

    @property
    def der(self) -> bytes:
        """The certificate's own octets."""
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            Encoding,
        )

        octets: bytes = self.certificate.public_bytes(Encoding.DER)
        return octets


def subject_octets(text: str) -> bytes:
    """Return what an operator works on: a certificate's octets, or a string's."""
    return text.der if isinstance(text, CertificateText) else octets_of(text)
