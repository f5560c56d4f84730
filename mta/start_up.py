"""Start-up without garbage collection.

What modules make while they are loaded stays; looking through it for garbage again and
again takes a quarter of the time to the first banner.  Importing this module begins, so
it is imported first; ``finish`` ends it.
"""

from __future__ import annotations

import gc

# Sessions leave little behind in cycles: the collector need not look so often.
_THRESHOLDS = 20_000, 20, 50


def begin() -> None:
    """Put garbage collection off."""
    gc.disable()


def finish() -> None:
    """Collect garbage from now on, but leave alone what there is already."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


begin()
