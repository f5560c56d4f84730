"""The command line in Exim's form."""

from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import (
    Arguments,
    DeliveryMode,
    Mode,
    UsageError,
    parse_arguments,
)

ID = "1wXJRo-0000000003X-0abc"


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
                line = f"{mode.value} {ID}"
                if mode in (Mode.ADD_RECIPIENT, Mode.MARK_DELIVERED, Mode.EDIT_SENDER):
                    line += " a@b"
                self.assertIs(parse(line).mode, mode)

    def test_deliver_as_in_a_runner(self) -> None:
        """``-Mc`` delivers without forcing."""
        arguments = parse(f"-Mc {ID}")

        self.assertFalse(arguments.forced)
        self.assertEqual(arguments.operands, [ID])


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
        arguments = parse("-B8BITMIME -h 5 -m -oo -O a=b -X /x -U -x u@h")

        self.assertEqual(arguments.operands, ["u@h"])

    def test_protocol_as_sendmail_says_it(self) -> None:
        """``-p`` names protocol and host as ``-oMr`` and ``-oMs`` do."""
        self.assertEqual(parse("-pesmtp:h.test").origin, {"r": "esmtp", "s": "h.test"})
        self.assertEqual(parse("-puucp").origin, {"r": "uucp"})

    def test_values_only(self) -> None:
        """``-n`` makes ``-bP`` terse."""
        self.assertTrue(parse("-n -bP queue_only").values_only)

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

    def test_two_commands_at_once(self) -> None:
        """Two options that ask for different things are both named."""
        error = self.assertRaises(UsageError, parse, "-bp -Mrm x")

        self.assertEqual(str(error), "incompatible options -bp and -Mrm")

    def test_commands_that_go_together(self) -> None:
        """A daemon runs the queue; ``-R`` and ``-S`` choose what a run takes."""
        self.assertIs(parse("-bdf -bd -q1h").mode, Mode.FOREGROUND_DAEMON)
        run = parse("-qff -R a.test -S x@y")
        self.assertIs(run.mode, Mode.RUN_QUEUE)
        self.assertEqual((run.recipient_match, run.sender_match), (r"a\.test", "x@y"))
        self.assertEqual(parse("-Rf a.test").queue_flags, "f")

    def test_queue_runs_that_are_not_possible(self) -> None:
        """What a run could not do as asked is refused, not left out."""
        for line in ("-ql", "-qff1h", "-q0m", "-q1h -R a", "-Rr (", "-odqs"):
            with self.subTest(line=line):
                self.assertRaises(UsageError, parse, line)

    def test_no_message(self) -> None:
        """A command on messages names one."""
        for option in ("-M", "-Mc", "-Mrm", "-Mf", "-Mvh", "-Mvl", "-Mg", "-Mar"):
            with self.subTest(option=option):
                error = self.assertRaises(UsageError, parse, option)
                self.assertEqual(
                    str(error), f"no message ids given after {option} option"
                )

    def test_malformed_message_id(self) -> None:
        """What is no message id never gets near the spool."""
        for text in ("zzz", "../../etc", ID + "x", f"{ID} zzz"):
            with self.subTest(text=text):
                error = self.assertRaises(UsageError, parse, f"-Mrm {text}")
                self.assertIn("malformed message id", str(error))

    def test_values_of_changes(self) -> None:
        """An address is wanted where the change is about one; one sender, no more."""
        for line in (f"-Mar {ID}", f"-Mmd {ID}", f"-Mes {ID}", f"-Mes {ID} a@b c@d"):
            with self.subTest(line=line):
                self.assertRaises(UsageError, parse, line)
