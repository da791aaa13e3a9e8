#!/usr/bin/env python3
"""The man page and the completions know every subcommand and option of the help text, and nothing else."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "src/app/command_line.cc").read_text()
HELP = re.search(r'kHelp =\s*R"\((.*?)\)";', SOURCE, re.DOTALL).group(1)
MAN = (ROOT / "deploy/man/dotward.1").read_text().replace("\\-", "-")
BASH = (ROOT / "deploy/completion/dotward.bash").read_text()
ZSH = (ROOT / "deploy/completion/_dotward").read_text()
OPTION = re.compile(r"--[a-z]+")


def subcommands():
    """Every word that may follow "dotward" in the help text: "run", "cache lookup"."""
    found = set()
    for line in re.findall(r"^  dotward (.*)$", HELP, re.MULTILINE):
        words = re.match(r"\[?([a-z]+)\]?((?: [a-z]+)?)", line)
        second = words.group(2).strip()
        found.add(f"{words.group(1)} {second}" if words.group(1) == "cache" else words.group(1))
    return found


def options():
    return set(OPTION.findall(HELP))


class CommandLineTest(unittest.TestCase):
    def test_help_text_is_understood(self):
        self.assertIn("cache flush", subcommands())
        self.assertIn("run", subcommands())
        self.assertIn("--socket", options())

    def test_man_page_has_every_subcommand_in_its_synopsis_and_its_text(self):
        for subcommand in sorted(subcommands()):
            with self.subTest(subcommand):
                self.assertRegex(MAN, rf"(?m)^\.B {subcommand}$")
                synopsis = MAN[MAN.index(".SH SYNOPSIS"):MAN.index(".SH DESCRIPTION")]
                self.assertRegex(synopsis, rf"\\fB(dotward )?{subcommand}\\fR")

    def test_man_page_has_every_option_and_no_other(self):
        self.assertEqual(set(OPTION.findall(MAN)), options())
        section = MAN[MAN.index(".SH OPTIONS"):MAN.index(".SH SIGNALS")]
        for option in sorted(options()):
            with self.subTest(option):
                self.assertRegex(section, rf"(?m)^\.B[IR]? .*{option}\b")

    def test_completions_have_every_subcommand_and_option_and_no_other_option(self):
        for name, text in (("bash", BASH), ("zsh", ZSH)):
            with self.subTest(name):
                self.assertEqual(set(OPTION.findall(text)), options())
                for word in sorted({word for subcommand in subcommands() for word in subcommand.split()}):
                    self.assertRegex(text, rf"(?<![\w-]){word}(?![\w-])")

    def test_bash_completes_subcommands_and_options(self):
        def completed(*words):
            line = " ".join(f"'{word}'" for word in words)
            script = (f". {ROOT}/deploy/completion/dotward.bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
                      '_dotward; printf "%s\\n" "${COMPREPLY[@]}"')
            done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, check=True)
            return done.stdout.split()

        self.assertEqual(completed("dotward", "up"), ["upstreams"])
        self.assertEqual(completed("dotward", "cache", ""), ["lookup", "dump", "flush"])
        self.assertEqual(completed("dotward", "cache", "flush", "--z"), ["--zone"])
        self.assertIn("--json", completed("dotward", "status", "--"))
        self.assertIn("HTTPS", completed("dotward", "why", "example.", "H"))
        self.assertIn("--listen", completed("dotward", "--l"))

    def test_man_page_is_set_without_a_warning(self):
        if not shutil.which("groff"):
            self.skipTest("there is no groff")
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", str(ROOT / "deploy/man/dotward.1")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
