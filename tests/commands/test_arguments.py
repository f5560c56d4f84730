"""The command line in Exim's form."""

from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import (
    Arguments,
    DeliveryMode,
    Mode,
    UsageError,
    parse_arguments,
)


def parse(line: str, program: str = "mta") -> Arguments:
    return parse_arguments(program, line.split())


class ModeTests(SynchronousTestCase):
    def test_service_line(self) -> None:
        """``-bd -q30m`` is a daemon that runs the queue each half hour."""
        arguments = parse("-bd -q30m")

        self.assertIs(arguments.mode, Mode.DAEMON)
        self.assertEqual(arguments.queue_interval, "30m")

    def test_queue_interval_alone(self) -> None:
        """``-q30m`` without ``-bd`` is a daemon too, that listens nowhere."""
        self.assertIs(parse("-q1h30m").mode, Mode.DAEMON)

    def test_one_queue_run(self) -> None:
        """``-qff`` runs the queue once, with frozen messages."""
        arguments = parse("-qff")

        self.assertIs(arguments.mode, Mode.RUN_QUEUE)
        self.assertEqual(arguments.queue_flags, "ff")

    def test_words(self) -> None:
        """What Exim has no option for is a word, for the command ``mta`` only."""
        arguments = parse("-C x ratelimit show ratelimit")
        self.assertIs(arguments.mode, Mode.RATES)
        self.assertEqual(arguments.operands, ["show", "ratelimit"])
        self.assertIs(parse("proxy-check a:25").mode, Mode.PROXY_CHECK)
        for line, program in (
            ("ratelimit", "sendmail"),
            ("-- ratelimit", "mta"),
            ("user ratelimit", "mta"),
        ):
            found = parse(line, program)
            self.assertIs(found.mode, Mode.SUBMIT)
            self.assertEqual(found.operands[-1], "ratelimit")
        self.assertEqual(parse("-bv ratelimit").operands, ["ratelimit"])

    def test_called_mailq(self) -> None:
        """The name ``mailq`` lists the queue."""
        self.assertIs(parse("", "mailq").mode, Mode.LIST_QUEUE)

    def test_every_mode_by_its_option(self) -> None:
        """Each mode's option chooses it."""
        for mode in Mode:
            with self.subTest(mode=mode):
                self.assertIs(parse(mode.value).mode, mode)

    def test_deliver_as_in_a_runner(self) -> None:
        """``-Mc`` delivers without forcing."""
        arguments = parse("-Mc 1abc")

        self.assertFalse(arguments.forced)
        self.assertEqual(arguments.operands, ["1abc"])


class SubmissionTests(SynchronousTestCase):
    def test_what_cron_calls(self) -> None:
        """Bundled and spaced forms of sender and name are read alike."""
        for line in ("-FCron -fa@b -oi -odq -t", "-F Cron -f a@b -i -odq -t"):
            with self.subTest(line=line):
                arguments = parse(line)

                self.assertEqual(arguments.full_name, "Cron")
                self.assertEqual(arguments.sender, "a@b")
                self.assertFalse(arguments.dot_ends)
                self.assertTrue(arguments.extract_recipients)
                self.assertIs(arguments.delivery_mode, DeliveryMode.QUEUE)

    def test_sendmail_options_without_effect(self) -> None:
        """What sendmail had and nobody needs is taken and dropped."""
        arguments = parse("-B8BITMIME -h 5 -m -oo -ov -U -x user@example.org")

        self.assertEqual(arguments.operands, ["user@example.org"])

    def test_end_of_options(self) -> None:
        """After ``--`` a word with a dash is a recipient."""
        self.assertEqual(parse("-i -- -odd@example.org").operands, ["-odd@example.org"])

    def test_macros_and_files(self) -> None:
        """``-D`` and ``-C`` take their value attached or apart."""
        arguments = parse("-DX=y -D Z=1 -C /a:/b")

        self.assertEqual(arguments.macros, {"X": "y", "Z": "1"})
        self.assertEqual(arguments.config_files, ["/a", "/b"])


class RefusalTests(SynchronousTestCase):
    def test_unknown_option(self) -> None:
        """An unknown option is named."""
        error = self.assertRaises(UsageError, parse, "-bzz")

        self.assertEqual(str(error), "unknown, malformed, or incomplete option -bzz")

    def test_missing_value(self) -> None:
        """An option whose value is missing is named."""
        for line in ("-C", "-f", "-oX", "-oMa", "-R"):
            with self.subTest(line=line):
                self.assertRaises(UsageError, parse, line)

    def test_lower_case_macro(self) -> None:
        """A macro must begin with a capital letter."""
        self.assertRaises(UsageError, parse, "-Dx=y")
