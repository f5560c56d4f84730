"""How it stands with the proof for a certificate, as a file tells other programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mta.ocsp.proof_file import replace_file

_LIMIT = 65536


@dataclass(slots=True)
class Standing:
    """What came of fetching a proof; times are in seconds since the epoch.

    ``path`` is the file of the certificate, ``failures`` how many there were since
    the last success, ``used_at`` when the certificate was last served, or loaded for
    that.
    """

    path: str
    responders: list[str] = field(default_factory=list)
    result: str = ""
    result_at: float = 0.0
    next_try: float = 0.0
    failures: int = 0
    used_at: float = 0.0

    @classmethod
    def read(cls, path: str) -> Standing | None:
        """Return what a file tells; None where there is none, or it tells nothing."""
        try:
            with open(path, "rb") as file:
                values = json.loads(file.read(_LIMIT))
            return cls(**{one.name: _value(values, one.name) for one in fields(cls)})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: str) -> None:
        """Replace a file; raise OSError."""
        replace_file(path, json.dumps(asdict(self), indent=1).encode())


_FORMS: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "responders": (list,),
    "result": (str,),
    "result_at": (int, float),
    "next_try": (int, float),
    "failures": (int,),
    "used_at": (int, float),
}


def _value(values: Any, name: str) -> Any:
    value = values[name]
    if not isinstance(value, _FORMS[name]):
        raise TypeError(name)
    return value
