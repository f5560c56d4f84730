"""What ``verify`` asks of a header section, without asking anybody else."""

from __future__ import annotations

import re

from mta.acl.header_addresses import blind_recipient, syntax_fault
from mta.acl.run import ACLRun
from mta.acl.verify_syntax import Options, Verifying

# What stands before the colon of each field, even where that is no field's name.
_NAME_OCTETS = re.compile(rb"(?m)^([^:\s][^:\r\n]*):")


async def verify_header_names(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where all names of fields are ASCII."""
    for name in _NAME_OCTETS.findall(run.subject.early_message().header.content):
        if not name.isascii():
            shown = name.decode("ascii", "backslashreplace")
            run.explain(f'Invalid character in header "{shown}" found')
            return False
    return True


async def verify_header_syntax(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where all addresses in fields are well-formed."""
    fault = syntax_fault(run.subject.early_message().header)
    if not fault:
        return True
    run.explain(fault)
    return False


async def verify_not_blind(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where To: or Cc: names every recipient."""
    message = run.subject.early_message()
    ignore_case = "case_insensitive" in options.words
    if blind_recipient(message, ignore_case=ignore_case) is None:
        return True
    run.explain("bcc recipient detected")
    return False
