"""Operators on lists."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.expand.context import Context
from mta.expand.registry import operator
from mta.options import split_list

_KINDS = {"a": "address", "d": "domain", "h": "host", "l": "local_part"}
_DEPTH_LIMIT = 20


@operator("listcount", taints=False)
def listcount(text: str) -> str:
    """How many items a list has."""
    return str(len(split_list(text)))


def _kinds(argument: str) -> list[str]:
    if argument and argument not in _KINDS:
        raise ValueError(f'"{argument}" is not one of {", ".join(_KINDS)}')
    return [_KINDS[argument]] if argument else list(_KINDS.values())


@operator("listnamed", argument=_kinds, context=True)
def listnamed(context: Context, name: str, kinds: list[str]) -> str:
    """The items of a named list, with those of the lists that it names in it."""
    return ":".join(_named_items(context, name.removeprefix("+"), kinds, 0))


def _named_items(
    context: Context, name: str, kinds: list[str], depth: int
) -> list[str]:
    if depth > _DEPTH_LIMIT:
        raise ExpansionError(f'named list "{name}" is nested too deeply')
    for kind in kinds:
        template = context.site.named_lists.get(kind, {}).get(name)
        if template is not None:
            break
    else:
        raise ExpansionError(f'"{name}" is not a {" or ".join(kinds)} named list')
    items = []
    for item in split_list(template.text):
        if item.startswith("+") and item[1:] in context.site.named_lists.get(kind, {}):
            items.extend(_named_items(context, item[1:], [kind], depth + 1))
        else:
            items.append(item.replace(":", "::"))
    return items
