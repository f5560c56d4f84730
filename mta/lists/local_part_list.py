"""Lists of local parts (Exim chapter 10, "Local part lists")."""

from __future__ import annotations

from mta.lists.items import Grammar, Item, ListKind
from mta.lists.text_items import parse_text_item


def _parse_item(text: str, grammar: Grammar) -> Item:
    return parse_text_item(text, grammar.is_caseful)


# A local part may contain "#", so a comment needs white space before it.
_COMMENT = r"(?:^|\s)#.*"
CASEFUL_LOCAL_PARTS = Grammar(
    ListKind.LOCAL_PART, _parse_item, comment=_COMMENT, is_caseful=True
)
LOCAL_PARTS = Grammar(
    ListKind.LOCAL_PART, _parse_item, comment=_COMMENT, caseful=CASEFUL_LOCAL_PARTS
)
