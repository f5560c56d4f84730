"""Who signs responses, read from files, and read anew when these change."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mta.ocsp.signing import Issuer, Signer, SigningError
from mta.tls.files import Marks, file_marks


class SigningFiles:
    """The files of the CA's certificate, of the signer's and of its key.

    Without ``signer`` the CA signs; ``passphrase`` is a file whose first line opens
    the key.
    """

    def __init__(
        self, *, ca: str, signer: str | None, key: str, passphrase: str | None
    ) -> None:
        self._ca = ca
        self._signer = signer
        self._key = key
        self._passphrase = passphrase
        self._loaded = self._seen = self._marks()
        self._issuer: Issuer | None = None

    def load(self) -> tuple[Issuer, Signer]:
        """Return the CA and its signer; raise OSError or SigningError."""
        certificate = _certificate(self._ca)
        issuer = Issuer.of(certificate)
        if self._issuer not in (None, issuer):
            raise SigningError(f"{self._ca}: another CA needs another responder")
        signer = _certificate(self._signer) if self._signer else certificate
        made = Signer(certificate, signer, _key(self._key, self._passphrase))
        self._issuer = issuer
        return issuer, made

    def renewed(self) -> Signer | None:
        """Return another signer than before if there is one.

        It is looked for again and again; files that change are read when they have
        been the same twice, since one of them may be replaced before the others.
        Raises OSError or SigningError, once for each change.
        """
        before, self._seen = self._seen, self._marks()
        if self._seen == self._loaded or self._seen != before:
            return None
        self._loaded = self._seen
        return self.load()[1]

    def _marks(self) -> Marks:
        paths = (self._ca, self._signer, self._key, self._passphrase)
        return file_marks([path for path in paths if path])


def _certificate(path: str) -> x509.Certificate:
    with open(path, "rb") as file:
        octets = file.read()
    try:
        return x509.load_pem_x509_certificate(octets)
    except ValueError as error:
        raise SigningError(f"{path}: no certificate in PEM: {error}") from error


def _key(path: str, passphrase_path: str | None) -> object:
    passphrase = None
    if passphrase_path is not None:
        with open(passphrase_path, "rb") as file:
            passphrase = file.readline(1024).rstrip(b"\r\n")
    with open(path, "rb") as file:
        octets = file.read()
    try:
        return serialization.load_pem_private_key(octets, passphrase)
    except TypeError as error:
        state = "encrypted" if passphrase is None else "not encrypted"
        raise SigningError(f"{path}: the key is {state}") from error
    except ValueError as error:
        raise SigningError(f"{path}: no private key in PEM: {error}") from error
