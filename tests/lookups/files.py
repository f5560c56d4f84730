"""Look-ups in files that a test has just written."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.lookups.base import Lookups
from mta.testing import FakeResolver, result_of


class LookupTestCase(SynchronousTestCase):
    """A test with the look-ups of a configuration."""

    def setUp(self) -> None:
        self.resolver = FakeResolver()
        self.lookups = Lookups.load(resolver=self.resolver)

    def file(self, content: str | bytes) -> str:
        """Return the absolute path of a new file."""
        path = Path(self.mktemp()).absolute()
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (1000, 1000))
        return str(path)

    def find(self, type_text: str, source: str, key: str) -> str | None:
        """Look a key up, without waiting."""
        return result_of(self.lookups.find(type_text, source, key))
