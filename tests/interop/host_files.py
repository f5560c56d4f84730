"""The files of a host with a certificate of a private authority, and its proof."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.interop.daemon_case import DaemonTestCase
from tests.tls.proofs import Authority


class HostFilesCase(DaemonTestCase):
    """Has a directory that every server may read; its files may change at any time."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        self.authority = Authority(now=datetime.now(UTC).replace(microsecond=0))

    def issue(self, name: str, responder: str = "") -> None:
        """Issue the certificate of the host: ``authority.pem`` and ``mx.pem``."""
        holder = self.authority.holder
        self.host = self.authority.issue(name, responder=responder)
        self.write("authority.pem", holder.pem)
        self.write("mx.pem", self.host.pem + holder.pem + self.host.key_pem)

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def write(self, name: str, octets: bytes) -> None:
        """Put a file in place at once."""
        temporary = self.directory / "temporary"
        temporary.write_bytes(octets)
        temporary.chmod(0o644)
        os.replace(temporary, self.directory / name)
