"""Tests for ``mta.config.main_options``."""

from __future__ import annotations

from tests.config.reading import ConfigurationCase, LimitOptions, NameOptions


class MainOptionTests(ConfigurationCase):
    """The main section."""

    def test_boolean_forms(self) -> None:
        """A switch is turned by its name, no_, not_ or a value."""
        for text, expected in {
            "accept_8bitmime": True,
            "no_accept_8bitmime": False,
            "not_accept_8bitmime": False,
            "accept_8bitmime = no": False,
            "accept_8bitmime = true": True,
        }.items():
            options = self.read(text + "\n").main(NameOptions)
            self.assertIs(options.accept_8bitmime, expected, text)

    def test_negated_with_value(self) -> None:
        """no_ takes no value."""
        self.assertEqual(
            self.errors("no_accept_8bitmime = true\n"),
            ['1: "no_accept_8bitmime" takes no value'],
        )

    def test_value_missing(self) -> None:
        """Other options need a value."""
        self.assertEqual(
            self.errors("primary_hostname\n"),
            ['1: option "primary_hostname" needs "=" and a value'],
        )

    def test_negated_text(self) -> None:
        """Only switches can be negated."""
        self.assertIn("cannot be negated", self.errors("no_primary_hostname\n")[0])

    def test_twice(self) -> None:
        """An option may be set once; the error names the first place."""
        self.assertEqual(
            self.errors("receive_timeout = 1m\nreceive_timeout = 2m\n"),
            ['2: option "receive_timeout" has already been set in line 1'],
        )

    def test_twice_by_alias(self) -> None:
        """Another name of an option is the same option."""
        self.assertEqual(len(self.errors("recipients_max = 1\nrcpt_max = 2\n")), 1)

    def test_alias(self) -> None:
        """An option answers to its other names."""
        self.assertEqual(
            self.read("rcpt_max = 2\n").main(LimitOptions).recipients_max, 2
        )

    def test_unknown(self) -> None:
        """A name close to a known one is suggested."""
        self.assertEqual(
            self.errors("primary_hostnam = x\n"),
            [
                '1: unknown option "primary_hostnam" in the main section; did you '
                'mean "primary_hostname"?'
            ],
        )

    def test_known_to_exim(self) -> None:
        """An option of Exim's that we lack is refused by name."""
        for text in ("spf_guess = x", "no_syslog_pid"):
            self.assertIn("is known to Exim but not supported", self.errors(text)[0])

    def test_all_wrong_values(self) -> None:
        """Every wrong value is reported, with option and line."""
        self.assertEqual(
            self.errors("receive_timeout = x\nrecipients_max = y\n"),
            [
                '1: receive_timeout: "x" is not a time interval such as 1h30m',
                '2: recipients_max: "y" is not an integer',
            ],
        )


class NamedListTests(ConfigurationCase):
    """Named lists of the main section."""

    def test_kinds(self) -> None:
        """There are four kinds, with _cache or without."""
        lists = self.read(
            "domainlist a = 1\nhostlist_cache b = 2\naddresslist c = 3\n"
            "hide localpartlist d = 4\n"
        ).named_lists

        self.assertEqual(
            {
                kind: {n: t.text for n, t in found.items()}
                for kind, found in lists.items()
            },
            {
                "domain": {"a": "1"},
                "host": {"b": "2"},
                "address": {"c": "3"},
                "local_part": {"d": "4"},
            },
        )

    def test_same_name(self) -> None:
        """Lists of two kinds may share a name, of one kind not."""
        self.read("domainlist a = 1\nhostlist a = 2\n")

        self.assertEqual(
            self.errors("domainlist a = 1\ndomainlist a = 2\n"),
            ['2: there is already a domain list called "a"'],
        )

    def test_quoted(self) -> None:
        """The text may stand in quotes."""
        lists = self.read('domainlist a = "x : y"\n').named_lists

        self.assertEqual(lists["domain"]["a"].text, "x : y")

    def test_no_name(self) -> None:
        """A list needs a name."""
        self.assertEqual(len(self.errors("domainlist = x\n")), 1)
