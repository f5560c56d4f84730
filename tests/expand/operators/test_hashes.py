"""Tests of ``mta.expand.operators.hashes``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ConfigurationError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase

EMPTY_SHA1 = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
EMPTY_SHA256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
EMPTY_SHA3 = "A7FFC6F8BF1ED76651C14756A061D662F580FF4DE43B49FA82D80A4B80F8434A"


class DigestTests(ExpansionTestCase):
    """Operators of well-known hashes."""

    def test_digests(self) -> None:
        """MD5 is in lower case, the others in upper case."""
        self.check(
            ("${md5:abc}", "900150983cd24fb0d6963f7d28e17f72"),
            ("${sha1:}", EMPTY_SHA1),
            ("${sha256:}", EMPTY_SHA256),
            ("${sha2:}${sha2_256:}", EMPTY_SHA256 * 2),
            ("${sha3:}${sha3_256:}", EMPTY_SHA3 * 2),
            ("${strlen:${sha2_512:}}${strlen:${sha3_224:}}", "12856"),
        )

    def test_unknown_size(self) -> None:
        """Another length is refused when the configuration is read."""
        self.check_errors(ConfigurationError, "${sha2_224:a}", "${sha3_1:a}")

    def test_taint(self) -> None:
        """A digest is trusted."""
        self.context.values["value"] = Tainted("a")

        self.assert_trusted("${md5:$value}${sha256:$value}${nhash_8:$value}")


class HashTests(ExpansionTestCase):
    """Exim's own hashes, with the examples of its manual."""

    def test_textual(self) -> None:
        """A short text stays, a longer one is made into letters."""
        self.check(
            ("${hash_3:monty}${hash_5:monty}", "jmgmonty"),
            ("${h_4_62:monty python}", "fbWx"),
        )

    def test_numeric(self) -> None:
        """One number or two are below the given ones."""
        text = "supercalifragilisticexpialidocious"
        self.check(("${nhash_8_64:%s}${nh_8_64:%s}" % (text, text), "6/336/33"))
        self.assertIn(self.expand("${nhash_3:abc}"), "012")

    def test_short_hash_is_tainted(self) -> None:
        """A text that stays may be what an outsider chose."""
        self.context.values["value"] = Tainted("../x")

        self.assert_tainted("${hash_5:$value}")
