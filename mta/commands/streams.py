"""Standard input, output and error, whatever a caller made of them."""

from __future__ import annotations

import os
import sys


def open_standard_streams() -> None:
    """Open what the caller closed, and read and write any octets.

    Else a file that is opened later, the queue's perhaps, would get the number of a
    stream, and what is printed would be written into it.
    """
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            # Gets the lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
        name = ("stdin", "stdout", "stderr")[number]
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, mode, closefd=False)  # noqa: SIM115 - stays open
            setattr(sys, name, stream)
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def flush_output() -> None:
    """Write what was printed; raise OSError where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
        raise


def discard_output() -> None:
    """Let what is still unwritten go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
