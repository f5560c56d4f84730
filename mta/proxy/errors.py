"""What can be wrong with a PROXY header."""

from __future__ import annotations

from mta.errors import MTAError


class HeaderError(MTAError):
    """What came is not a header that can be believed; the text is for the log."""
