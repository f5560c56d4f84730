"""Certificate files for tests."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile

import trustme

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


class Files:
    """Certificates in a directory: of two hosts and of two clients."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp()
        AUTHORITY.cert_pem.write_to_path(self.path("authority"))
        for name in ("mx.example", "other.example"):
            self.write(name, AUTHORITY.issue_cert(name))
        self.write("client", AUTHORITY.issue_cert("client@client.example"))
        self.write("stranger", STRANGER.issue_cert("client@client.example"))

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return os.path.join(self.directory, name)

    def write(self, name: str, made: trustme.LeafCert) -> None:
        """Write a certificate, and its key, into one file."""
        made.private_key_and_cert_chain_pem.write_to_path(self.path(name))

    def remove(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.directory)

    def trust(self) -> ssl.SSLContext:
        """Return what a client that trusts the authority negotiates with."""
        return ssl.create_default_context(cafile=self.path("authority"))
