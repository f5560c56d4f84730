"""The item that asks for what a proxy told."""

from __future__ import annotations

from typing import Any

from mta.errors import ExpansionError
from mta.expand.context import Context
from mta.expand.registry import item
from mta.expand.variables.proxy import value_text


@item("proxy_tlv", least=1, most=1, context=True, like_variable=True)
def proxy_tlv(context: Context, number: str) -> str:
    """A value of the PROXY header by its number, which may change: 0xEA or 234."""
    try:
        wanted = int(number, 0)
    except ValueError:
        raise ExpansionError(f'"{number}" is not the number of a value') from None
    if not 0 <= wanted <= 0xFF:
        raise ExpansionError(f"{number} is not between 0 and 0xff")
    proxy: Any = context.connection.proxy
    return "" if proxy is None else value_text(proxy.tlvs.values, wanted)
