"""Files that the configuration names for proofs."""

from __future__ import annotations

import os
import stat

from mta.ocsp.kept_proof import Report, standing_path
from mta.tls.staples import StapleFile
from tests.ocsp.keeping import CA, MX, NAME, KeptProofCase
from tests.tls.proofs import HOUR, NOW, pem


class CopyTests(KeptProofCase):
    """Files that the configuration names."""

    def test_written(self) -> None:
        """Each new proof is written there, as DER or PEM; owner and mode stay."""
        der, text = self.path("der", b"what was there"), self.path("pem")
        os.chmod(der, 0o640)
        response = CA.respond(MX.certificate)
        copies = (StapleFile(der), StapleFile(text, is_pem=True))
        self.keep(response, copies=copies).work()
        self.assertEqual(response, self.content(der))
        self.assertIn(b"-----BEGIN OCSP RESPONSE-----", self.content(text))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(der).st_mode))

    def test_taken_over(self) -> None:
        """A good proof that is there already saves asking for one."""
        response = CA.respond(MX.certificate)
        for octets, is_pem in ((response, False), (pem(response), True)):
            copy = StapleFile(self.path("copy", octets), is_pem)
            kept = self.keep(copies=(copy,))
            self.assertEqual([], kept.work())
            self.assertEqual((0, response), (self.asked, self.content(kept.file)))
            os.unlink(kept.file)
            os.unlink(standing_path(kept.file))

    def test_newer(self) -> None:
        """What another program puts there later is taken over, if it is newer."""
        copy = self.path("copy")
        kept = self.keep(CA.respond(MX.certificate), copies=(StapleFile(copy),))
        kept.work()
        for begin, is_taken in ((NOW - 2 * HOUR, False), (NOW, True)):
            response = CA.respond(MX.certificate, begin=begin)
            self.path("copy", response)
            self.assertTrue(kept.wants_work(self.now, looks_at_copies=True))
            kept.work()
            self.assertEqual(is_taken, response == self.content(kept.file))
            self.assertEqual(self.content(kept.file), self.content(copy))
            self.assertFalse(kept.wants_work(self.now, looks_at_copies=True))

    def test_missing(self) -> None:
        """A copy that is removed is written again."""
        copy = self.path("copy")
        kept = self.keep(CA.respond(MX.certificate), copies=(StapleFile(copy),))
        kept.work()
        os.unlink(copy)
        self.assertTrue(kept.wants_work(self.now, looks_at_copies=True))
        kept.work()
        self.assertEqual(self.content(kept.file), self.content(copy))

    def test_unwritable(self) -> None:
        """A copy that cannot be written is one alarm; ours is kept all the same."""
        copy = os.path.join(self.folder, "nowhere", "copy")
        kept = self.keep(CA.respond(MX.certificate), copies=(StapleFile(copy),))
        reports = [*kept.work(), *kept.work()]
        self.assertEqual(
            Report(
                f"OCSP proof for {NAME} not written: {copy}: No such file or directory",
                is_alarm=True,
            ),
            reports[1],
        )
        self.assertEqual(2, len(reports))
        self.assertTrue(kept.is_good(self.now))
