"""Wrong configurations, and the errors that each must give.

Each folder of ``bad_configs`` has a configuration and a file ``expected`` with a line
for each error: the number of the line and the text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.assembly import assemble
from mta.errors import ConfigurationError, ConfigurationErrors

FOLDER = Path(__file__).parent / "bad_configs"


def no_reactor() -> object:
    """Fail: reading a configuration needs no network."""
    raise AssertionError("reading a configuration asked for the reactor")


def errors_of(folder: Path) -> list[str]:
    """Return the errors that a configuration gives, as ``line: text``."""
    path = str(folder / "mta.conf")
    try:
        assemble([path], {}, reactor=no_reactor)
    except ConfigurationErrors as error:
        found = list(error.errors)
    except ConfigurationError as error:
        found = [error]
    else:
        raise AssertionError(f"{path} gives no error")
    for one in found:
        assert one.file == path, one.file
    return [f"{one.line}: {one.text}".replace(str(folder), "FOLDER") for one in found]


class BadConfigurationTests(SynchronousTestCase):
    """Every error names its line and says what is wrong."""


def _test(folder: Path) -> Callable[[SynchronousTestCase], None]:
    def test(self: SynchronousTestCase) -> None:
        expected = (folder / "expected").read_text().splitlines()
        self.assertEqual(errors_of(folder), expected)

    test.__doc__ = f"{folder.name.replace('_', ' ')}: the errors that are expected."
    return test


for _folder in sorted(FOLDER.iterdir()):
    setattr(BadConfigurationTests, f"test_{_folder.name}", _test(_folder))
