"""The file that tells how it stands with a proof."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.standing import Standing

WHOLE = Standing("/mx.pem", ["http://a/"], "good", 5.0, 9.5, 2, 4.0)


class StandingTests(SynchronousTestCase):
    """Written and read again."""

    def setUp(self) -> None:
        """Choose a file."""
        os.mkdir(directory := self.mktemp())
        self.path = os.path.join(directory, "standing.json")

    def read(self, text: str) -> Standing | None:
        """Return what a file with a text tells."""
        with open(self.path, "w") as file:
            file.write(text)
        return Standing.read(self.path)

    def test_round_trip(self) -> None:
        """What is written is read."""
        WHOLE.write(self.path)
        self.assertEqual(WHOLE, Standing.read(self.path))

    def test_missing(self) -> None:
        """Where there is no file nothing is known."""
        self.assertIsNone(Standing.read(self.path))

    def test_others(self) -> None:
        """Nor where the file is another, or half of one."""
        whole = json.dumps(asdict(WHOLE))
        self.assertEqual(WHOLE, self.read(whole))
        for cut in range(len(whole)):
            self.assertIsNone(self.read(whole[:cut]))
        for text in ("[]", "null", "1", '{"path": 1}', whole.replace("9.5", '"x"')):
            self.assertIsNone(self.read(text))
