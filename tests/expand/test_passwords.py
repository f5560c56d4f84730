"""Tests of ``mta.expand.passwords``."""

from __future__ import annotations

import importlib
import warnings

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError
from mta.expand.passwords import matches_encrypted

MD5 = "CY9rzUYh03PK3k6DJie09g=="
SHA1 = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"


class MatchesEncryptedTests(SynchronousTestCase):
    """Passwords in clear against encrypted ones; the clear one is "test"."""

    def test_digests(self) -> None:
        """Digests may be in base64 or hexadecimal, the scheme in any case."""
        for encrypted in (
            "{md5}" + MD5,
            "{MD5}098f6bcd4621d373cade4e832627b4f6",
            "{sha1}" + SHA1,
            "{sha1}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
        ):
            self.assertTrue(matches_encrypted("test", encrypted), encrypted)
            self.assertFalse(matches_encrypted("Test", encrypted), encrypted)

    def test_crypt(self) -> None:
        """What has no scheme is of crypt(3)."""
        encrypted = crypt_of("test")
        for text in (encrypted, "{crypt}" + encrypted):
            self.assertTrue(matches_encrypted("test", text))
            self.assertFalse(matches_encrypted("other", text))

    def test_nothing_matches_nothing(self) -> None:
        """An empty or locked password lets nobody in."""
        for encrypted in ("", "*", "!", "{crypt}", "{md5}", "{sha1}zz", "x\0y"):
            self.assertFalse(matches_encrypted("", encrypted), encrypted)

    def test_cut_anywhere(self) -> None:
        """No part of an encrypted password matches."""
        for whole in ("{md5}" + MD5, "{sha1}" + SHA1):
            for end in range(whole.index("}") + 1, len(whole)):
                self.assertFalse(matches_encrypted("test", whole[:end]))

    def test_unknown_scheme(self) -> None:
        """An unknown scheme, or half of one, is an error."""
        for encrypted in ("{rot13}grfg", "{md5"):
            with self.assertRaises(ExpansionError):
                matches_encrypted("test", encrypted)


def crypt_of(password: str) -> str:
    """Return a password encrypted by the system's library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crypt = importlib.import_module("crypt")
    return str(crypt.crypt(password, crypt.mksalt(crypt.METHOD_SHA256)))
