"""Conditions that are made of other things: another ACL, an expansion."""

from __future__ import annotations

import re

from mta.acl.evaluate import run_nested
from mta.acl.registry import condition
from mta.acl.run import ACLError, ACLOutcome, ACLRun
from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.option_types import template_of
from mta.interfaces import ITemplate
from mta.options import Source
from mta.taint import quoted

_INTEGER = re.compile(r"-?[0-9]*\Z")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ARGUMENTS_LIMIT = 9
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


class _ACLReferenceType:
    """The name of an ACL and its arguments, words that are expanded one by one."""

    name = "ACL with arguments"

    def parse(self, text: str, source: Source) -> tuple[ITemplate, ...]:
        words = tuple(
            template_of(_ESCAPE.sub(r"\1", match[1]), source)
            if match[2] is None
            else template_of(match[2], source)
            for match in _WORD.finditer(text)
        )
        if not words:
            raise source.error("the name of an ACL is missing")
        if len(words) > ARGUMENTS_LIMIT + 1:
            raise source.error(f"an ACL has at most {ARGUMENTS_LIMIT} arguments")
        return words


@condition("acl", argument=_ACLReferenceType())
async def acl(run: ACLRun, value: tuple[ITemplate, ...]) -> ACLOutcome:
    """What another ACL says; its arguments are ``$acl_arg1`` and so on."""
    try:
        name, *arguments = [await word.expand(run.context) for word in value]
    except ForcedFailure as error:
        raise ACLError("the expansion of an ACL's name was forced to fail") from error
    return await run_nested(name, arguments, run)


@condition("condition")
async def condition_(run: ACLRun, value: ITemplate) -> bool:
    """True where a string is expanded to ``yes``, ``true`` or a number but zero.

    Empty, ``no``, ``false`` and zero are false; anything else cannot be decided.
    """
    text = value.constant
    if text is None:
        text = await value.expand(run.context)
    known = _WORDS.get(text.lower())
    if known is not None:
        return known
    if not _INTEGER.match(text):
        # Not for the client, whatever smtp_return_error_details says.
        log_text = f'invalid "condition" value {quoted(text)}'
        raise TemporaryFailure("", log_text=log_text)
    return bool(text.strip("-0"))
