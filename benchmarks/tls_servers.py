"""The servers whose TLS is measured, with the same certificate and the same staple."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.servers import Measured, MeasuredExim
from tests.interop.daemon import Daemon
from tests.tls.proofs import Authority


class Material:
    """A certificate with a key, P-256 where none is given, and what to staple."""

    def __init__(self, directory: Path, name: str, key: Any = None) -> None:
        authority = Authority(now=datetime.now(UTC).replace(microsecond=0))
        host = authority.issue("mx.test", key=key)
        certificate, response = directory / f"{name}.pem", directory / f"{name}.ocsp"
        certificate.write_bytes(host.pem + authority.holder.pem + host.key_pem)
        response.write_bytes(authority.respond(host.certificate))
        for path in (certificate, response):
            path.chmod(0o644)
        self.name = name
        self.key = key
        self.options = f"tls_certificate = {certificate}\ntls_ocsp_file = {response}"


def materials(directory: Path) -> list[Material]:
    """Return one with each kind of key that matters."""
    directory.chmod(0o755)
    return [
        Material(directory, "P-256"),
        Material(directory, "RSA-2048", rsa.generate_private_key(65537, 2048)),
    ]


class OursWithTLS(Measured, Daemon):
    """This program with a certificate and a staple."""

    def __init__(self, material: Material) -> None:
        Daemon.__init__(self, main=f"host_lookup =\n{material.options}", runs=False)
        self.rewrite("smtp_accept_max = 200", "smtp_accept_max = 2500")
        self.run()

    @property
    def pid(self) -> int:
        """The process of the daemon."""
        assert self.process is not None
        return self.process.pid


class EximWithTLS(MeasuredExim):
    """Exim with the same."""

    def __init__(self, material: Material) -> None:
        super().__init__(extra=material.options)
