"""What stands in ``tls_ocsp_file``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.staples import StapleFile, staple_files


class FileListTests(SynchronousTestCase):
    """What stands in ``tls_ocsp_file``."""

    def test_forms(self) -> None:
        """A form named before a file holds for those that follow."""
        files = staple_files(["/a", "PEM /b", "/c", "DER /d", "/e"])

        self.assertEqual(["/a", "/b", "/c", "/d", "/e"], [file.path for file in files])
        self.assertEqual(
            [False, True, True, False, False], [file.is_pem for file in files]
        )

    def test_gap(self) -> None:
        """An empty item stands for a certificate without a response."""
        self.assertEqual([StapleFile(""), StapleFile("/b")], staple_files(["", "/b"]))
