"""What a mailbox that cannot be written means for a message."""

from __future__ import annotations

import errno
import os

from mta.errors import TemporaryFailure

# Exim's own error numbers, which stand in "defer (N)" of the log.
NOT_REGULAR = -4
WRONG_OWNER = -6
WRONG_MODE = -7
INODE_CHANGED = -8
LOCK_FAILED = -9
NOT_ABSOLUTE = -21
OVER_QUOTA = -22


def mailbox_failure(
    text: str, *, error: int = 0, error_name: str = "", freeze: bool = False
) -> TemporaryFailure:
    """Return the failure that defers a delivery; the text names files: for the log."""
    return TemporaryFailure(
        "local delivery failed",
        status="4.2.0",
        log_text=text,
        error=error,
        error_name=error_name,
        freeze=freeze,
    )


def system_failure(doing: str, error: OSError) -> TemporaryFailure:
    """Return the failure for an error of the system, a full quota told apart."""
    if error.errno == errno.EDQUOT:
        return TemporaryFailure(
            "mailbox is full",
            status="4.2.2",
            log_text=f"mailbox is full (system quota): {doing}",
            error=OVER_QUOTA,
            error_name="quota",
        )
    number = error.errno or 0
    reason = os.strerror(number) if number else str(error)
    return mailbox_failure(f"{reason}: {doing}", error=number)


def not_in_place(path: str) -> TemporaryFailure:
    """Return the failure for a file that ``create_file`` does not let us create."""
    return mailbox_failure(f"{path} may not be created: create_file does not allow it")
