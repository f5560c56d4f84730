"""Text that becomes an expansion at run time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mta.errors import ConfigurationError, ExpansionError, TaintError
from mta.expand.context import Context
from mta.expand.syntax import Template, parse_template
from mta.options import Source
from mta.taint import is_tainted, quoted

NESTING_LIMIT = 20


async def expand_text(text: str, context: Context) -> str:
    """Return the expansion of a text that is known only now.

    Text in which nothing is special is returned as it is.  Raises TaintError for
    other text that an outsider chose, and ExpansionError.
    """
    if "$" not in text and "\\" not in text:
        return text
    template = run_time_template(text, context)
    depth = context.expansion_depth
    if depth >= NESTING_LIMIT:
        raise ExpansionError("expansions of expanded text are nested too deeply")
    context.expansion_depth = depth + 1
    try:
        return await template.expand(context)
    finally:
        context.expansion_depth = depth


def run_time_template(text: str, context: Context) -> Template:
    """Return the template of a text that is known only now; see ``expand_text``."""
    if is_tainted(text):
        raise TaintError(f"attempt to expand tainted string {quoted(text)}")
    if context.site.language is None:
        raise ExpansionError("there is no expansion language here")
    return _parsed(text, context.site.language)


@lru_cache(maxsize=256)
def _parsed(text: str, language: Any) -> Template:
    try:
        return parse_template(text, Source(language=language), language)
    except ConfigurationError as error:
        raise ExpansionError(error.text) from error
