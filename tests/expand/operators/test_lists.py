"""Tests of ``mta.expand.operators.lists``."""

from __future__ import annotations

from mta.errors import ConfigurationError, ExpansionError
from mta.options import Source
from tests.expand.expansions import LANGUAGE, ExpansionTestCase


class ListcountTests(ExpansionTestCase):
    """``listcount``."""

    def test_items(self) -> None:
        """Items are counted as lists do."""
        self.check(
            ("${listcount:}${listcount:a}${listcount:a:b}", "012"),
            ("${listcount:<, a:b,c}${listcount:a::b}", "21"),
        )


class ListnamedTests(ExpansionTestCase):
    """``listnamed``."""

    def setUp(self) -> None:
        """Have some named lists."""
        super().setUp()
        lists = {
            "domain": {"mine": "a.example : +others", "others": "<, b.example, c"},
            "host": {"mine": "<; 192.0.2.1 ; 2001:db8::1"},
            "address": {"loop": "+loop"},
        }
        for kind, texts in lists.items():
            self.context.site.named_lists[kind] = {
                name: LANGUAGE.template(text, Source()) for name, text in texts.items()
            }

    def test_nested(self) -> None:
        """The lists that a list names are opened."""
        self.check(("${listnamed:mine}", "a.example:b.example:c"))

    def test_kind(self) -> None:
        """A kind may be asked for."""
        self.check(("${listcount:${listnamed_h:mine}}", "2"))

    def test_unknown(self) -> None:
        """Unknown names and endless lists fail, unknown kinds are refused."""
        self.check_errors(
            ExpansionError,
            "${listnamed:none}",
            "${listnamed_l:mine}",
            "${listnamed:loop}",
        )
        self.check_errors(ConfigurationError, "${listnamed_x:mine}")
