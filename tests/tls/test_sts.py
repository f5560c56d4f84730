"""What a domain says of its mail hosts: TXT records, policy files, patterns."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.sts import (
    GREATEST_AGE,
    LEAST_AGE,
    SIZE_LIMIT,
    InvalidPolicy,
    Mode,
    Policy,
    is_domain,
    parse_policy,
    record_id,
)

FILE = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
    b"mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n"
)
SHORT = b"version: STSv1\nmode: %s\nmx: a.test\nmax_age: 86400\n"


class RecordTests(SynchronousTestCase):
    """The TXT record that tells of a policy."""

    def test_found(self) -> None:
        """The id is found with and without spaces, a last semicolon, other fields."""
        for record in (
            b"v=STSv1; id=20160831085700Z;",
            b"v=STSv1;id=20160831085700Z",
            b"v=STSv1;\t id=20160831085700Z \t;",
            b"v=STSv1; x_1-y.z=a:b/c; id=20160831085700Z",
            b"v=STSv1; id=20160831085700Z; id=other",
            b"v=STSv1; id=20160831085700Z; id=not-one",
            b"v=STSv1; id=20160831085700Z; v=STSv2",
        ):
            self.assertEqual("20160831085700Z", record_id([record]), record)

    def test_others(self) -> None:
        """Records about something else do not count."""
        records = [b"v=spf1 -all", b"", b"v=STSv1; id=1", b"v=STSv2; id=2", b"\xff"]

        self.assertEqual("1", record_id(records))

    def test_none(self) -> None:
        """Without a record there is no policy."""
        self.assertEqual("", record_id([]))
        self.assertEqual("", record_id([b"v=TLSRPTv1; rua=mailto:a@b"]))

    def test_several(self) -> None:
        """Two records contradict each other: none counts."""
        self.assertEqual("", record_id([b"v=STSv1; id=1", b"v=STSv1; id=1"]))

    def test_invalid(self) -> None:
        """What breaks the grammar is no record."""
        for record in (
            b"v=STSv1",
            b"v=STSv1;",
            b"v=STSv1; ",
            b"v=STSv1; id=",
            b"v=STSv1; id",
            b"v=STSv1; id=a b",
            b"v=STSv1; id=a-b",
            b"v=STSv1; id=" + b"a" * 33,
            b"v=STSv1; ID=1",
            b"v=STSv1;; id=1",
            b"v=STSv1; id=1;;",
            b"v=STSv1; id=1; =x",
            b"v=STSv1; id=1; x=",
            b"v=STSv1; id=1; x=a=b",
            b"v=STSv1; id=1; x y=a",
            b"v=STSv1; id=1; -x=a",
            b"v=STSv1; id=1; " + b"x" * 33 + b"=a",
            b"v=STSv1; id=\xc3\xa4",
            b"v=STSv1; id=1\r\n",
            b"v=STSv1; id=1; x=\x00",
            b" v=STSv1; id=1",
            b"V=STSv1; id=1",
            b"id=1; v=STSv1;",
            b"v=STSv1; id=1; " + b"\xff" * 60000,
        ):
            self.assertEqual("", record_id([record]), record[:80])

    def test_longest(self) -> None:
        """An id has up to 32 characters."""
        self.assertEqual("a" * 32, record_id([b"v=STSv1; id=" + b"a" * 32]))

    def test_every_cut(self) -> None:
        """A record that is cut anywhere is read as a shorter id, or as none."""
        whole = b"v=STSv1; id=2016;"
        for end in range(len(whole)):
            self.assertIn(record_id([whole[:end]]), ("", "2", "20", "201", "2016"))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(max_size=40) | st.just(b"v=STSv1; id=1"), max_size=4))
    def test_anything(self, records: list[bytes]) -> None:
        """Whatever the DNS has, an id is short and plain."""
        found = record_id(records)
        self.assertTrue(not found or (found.isalnum() and len(found) <= 32))


class PolicyFileTests(SynchronousTestCase):
    """The file that a policy host serves."""

    def test_read(self) -> None:
        """The example of RFC 8461 is understood."""
        policy = parse_policy(FILE)

        self.assertIs(policy.mode, Mode.ENFORCE)
        self.assertEqual(policy.max_age, 604800)
        self.assertEqual(
            policy.mx, ("mail.example.com", "*.example.net", "backupmx.example.com")
        )
        self.assertEqual(policy.lines[0], "version: STSv1")
        self.assertEqual(len(policy.lines), 6)

    def test_forms(self) -> None:
        """Line ends, spaces and the order of lines do not matter."""
        for octets in (
            SHORT % b"enforce",
            (SHORT % b"enforce").replace(b"\n", b"\r\n"),
            (SHORT % b"enforce").strip(),
            (SHORT % b"enforce").replace(b": ", b":"),
            (SHORT % b"enforce").replace(b": ", b":\t  "),
            (SHORT % b"enforce").replace(b"\n", b" \t\r\n"),
            b"\n\n" + (SHORT % b"enforce") + b"\r\n\r\n",
            b"max_age: 86400\nmx: A.Test\nmode: enforce\nversion: STSv1",
        ):
            policy = parse_policy(octets)
            self.assertEqual(
                (policy.mode, policy.mx, policy.max_age),
                (Mode.ENFORCE, ("a.test",), 86400),
                octets,
            )

    def test_modes(self) -> None:
        """There are three modes; none may name no hosts."""
        for word in ("enforce", "testing", "none"):
            self.assertEqual(parse_policy(SHORT % word.encode()).mode, Mode(word))
        policy = parse_policy(b"version: STSv1\nmode: none\nmax_age: 86400\n")
        self.assertIs(policy.mode, Mode.NONE)
        self.assertFalse(policy.is_active)

    def test_unknown_fields(self) -> None:
        """Other fields are passed over, in UTF-8 too."""
        more = "x-note: für\u00a0alle\nmore.: a b  c\n".encode()

        self.assertTrue(parse_policy((SHORT % b"testing") + more).is_active)

    def test_repeated(self) -> None:
        """The first of a repeated field counts; an mx is kept once."""
        again = b"mode: none\nmax_age: 1\nversion: X\nmx: A.test\nmx: b.test\n"
        policy = parse_policy((SHORT % b"enforce") + again)

        self.assertIs(policy.mode, Mode.ENFORCE)
        self.assertEqual(policy.max_age, 86400)
        self.assertEqual(policy.mx, ("a.test", "b.test"))

    def test_first_of_repeated_is_bad(self) -> None:
        """A good field does not mend a bad one before it."""
        with self.assertRaises(InvalidPolicy):
            parse_policy(b"version: STSv2\n" + (SHORT % b"enforce"))

    def test_ages(self) -> None:
        """An age is held between a minute and a year."""
        for written, kept in (
            (b"0", LEAST_AGE),
            (b"59", LEAST_AGE),
            (b"61", 61),
            (b"31557600", GREATEST_AGE),
            (b"9999999999", GREATEST_AGE),
        ):
            octets = (SHORT % b"enforce").replace(b"86400", written)
            self.assertEqual(parse_policy(octets).max_age, kept)

    def test_invalid(self) -> None:
        """What is no policy is refused with a reason."""
        good = SHORT % b"enforce"
        for octets, reason in (
            (b"", "no version"),
            (b"\x00" * 100, "not like name: value"),
            (b"\xff\xfe" + good, "UTF-8"),
            ("\ufeff".encode() + good, "not like name: value"),
            (b"<html><body>404</body></html>", "not like name: value"),
            (good.replace(b"\n", b"\r"), "no value that can be one"),
            (good.replace(b"STSv1", b"STSv1\x00"), "no value that can be one"),
            (good.replace(b"STSv1", b"stsv1"), "version"),
            (good.replace(b"version", b"Version"), "no version"),
            (good.replace(b"mode: enforce\n", b""), "no mode"),
            (good.replace(b"enforce", b"Enforce"), "mode"),
            (good.replace(b"enforce", b"enforce, testing"), "mode"),
            (good.replace(b"mx: a.test\n", b""), "no mx"),
            (good.replace(b"max_age: 86400\n", b""), "no max_age"),
            (good.replace(b"mode:", b"mode :"), "not like name: value"),
            (good.replace(b"mode: enforce", b"mode:"), "no value"),
            (good + b"x\n", "not like name: value"),
            (good + b": x\n", "not like name: value"),
            (good + b"x" * 33 + b": x\n", "not like name: value"),
        ):
            with self.assertRaises(InvalidPolicy) as caught:
                parse_policy(octets)
            self.assertIn(reason, str(caught.exception), octets[:60])

    def test_bad_ages(self) -> None:
        """An age is digits of ASCII, at most ten."""
        for age in ("-1", "+1", "1.5", "1e3", "0x10", "1 d", "1" * 11, "٣", "²"):
            octets = (SHORT % b"enforce").replace(b"86400", age.encode())
            with self.assertRaises(InvalidPolicy):
                parse_policy(octets)

    def test_bad_patterns(self) -> None:
        """A wildcard stands for the whole first label, and names are A-labels."""
        for pattern in (
            "*",
            "*.",
            "**.test",
            "*.*.test",
            "a.*.test",
            "a.*",
            "*a.test",
            "a*.test",
            ".test",
            "a..test",
            "a.test.",
            "-a.test",
            "a-.test",
            "a_b.test",
            "a b.test",
            "müller.test",
            "a.test, b.test",
            "<a.test>",
            "[192.0.2.1]",
            "a" * 64 + ".test",
            "a." * 130 + "test",
        ):
            octets = (SHORT % b"enforce").replace(b"a.test", pattern.encode())
            with self.assertRaises(InvalidPolicy, msg=pattern):
                parse_policy(octets)

    def test_size(self) -> None:
        """A file may have 64 KiB; a larger one is refused unread."""
        good = SHORT % b"enforce"
        line = b"x: " + b"y" * 1020 + b"\n"
        filled = good + line * ((SIZE_LIMIT - len(good)) // len(line))
        filled += b"\n" * (SIZE_LIMIT - len(filled))

        self.assertEqual(parse_policy(filled).mx, ("a.test",))
        for octets in (filled + b"\n", b"x" * 10_000_000):
            with self.assertRaises(InvalidPolicy):
                parse_policy(octets)

    def test_one_endless_line(self) -> None:
        """A line may be as long as the file."""
        octets = (SHORT % b"enforce") + b"x: " + b"y" * 60000

        self.assertEqual(parse_policy(octets).mx, ("a.test",))

    def test_every_cut(self) -> None:
        """A file that is cut anywhere is refused, or has a shorter age."""
        for end in range(len(FILE)):
            try:
                policy = parse_policy(FILE[:end])
            except InvalidPolicy:
                continue
            self.assertTrue(FILE[:end].rstrip().split(b" ")[-1].isdigit(), end)
            self.assertEqual(len(policy.mx), 3)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.sampled_from(FILE.splitlines(keepends=True))
            | st.binary(max_size=30)
            | st.text(max_size=20).map(str.encode),
            max_size=10,
        )
    )
    def test_anything(self, parts: list[bytes]) -> None:
        """Whatever is served gives a policy or its one error."""
        try:
            policy = parse_policy(b"".join(parts))
        except InvalidPolicy:
            return
        self.assertTrue(policy.mx or policy.mode is Mode.NONE)


class PatternTests(SynchronousTestCase):
    """Which hosts a policy allows."""

    def allows(self, pattern: str, name: str) -> bool:
        return Policy(Mode.ENFORCE, 86400, (pattern,)).allows(name)

    def test_exact(self) -> None:
        """A name is itself, in any case, with or without its final dot."""
        self.assertTrue(self.allows("mail.example.com", "mail.example.com"))
        self.assertTrue(self.allows("mail.example.com", "MAIL.Example.com."))
        self.assertFalse(self.allows("mail.example.com", "xmail.example.com"))
        self.assertFalse(self.allows("mail.example.com", "mail.example.com.test"))
        self.assertFalse(self.allows("mail.example.com", ""))

    def test_wildcard(self) -> None:
        """A wildcard is one whole label: neither none nor two."""
        self.assertTrue(self.allows("*.example.com", "mail.example.com"))
        self.assertFalse(self.allows("*.example.com", "example.com"))
        self.assertFalse(self.allows("*.example.com", ".example.com"))
        self.assertFalse(self.allows("*.example.com", "a.mail.example.com"))
        self.assertFalse(self.allows("*.example.com", "mailexample.com"))

    def test_name_with_star(self) -> None:
        """A host's own name cannot play the wildcard."""
        self.assertFalse(self.allows("mail.example.com", "*.example.com"))

    def test_several(self) -> None:
        """One pattern that fits is enough; without patterns nothing fits."""
        policy = Policy(Mode.TESTING, 86400, ("a.test", "*.b.test"))
        self.assertTrue(policy.allows("x.b.test"))
        self.assertFalse(Policy(Mode.NONE, 86400).allows("a.test"))


class DomainTests(SynchronousTestCase):
    """Which domains can have a policy."""

    def test_domains(self) -> None:
        """Domains of two labels and more can, in A-labels."""
        for text in ("example.com", "a.b-c.example", "xn--mller-kva.test", "1.test"):
            self.assertTrue(is_domain(text), text)

    def test_others(self) -> None:
        """What would be something else in a URL or in a question cannot."""
        for text in (
            "",
            "localhost",
            "Example.com",
            "example.com.",
            ".example.com",
            "a..b",
            "192.0.2.1",
            "[192.0.2.1]",
            "2001:db8::1",
            "a@b.test",
            "a/b.test",
            "a.test/..",
            "a.test:80",
            "a.test#b",
            "a.test?b",
            "a b.test",
            "a.test\r\n",
            "müller.test",
            "_x.test",
            "a" * 64 + ".test",
            ".".join(["a" * 50] * 5),
        ):
            self.assertFalse(is_domain(text), text)
