"""Tests of the manual page and of the shell completion that the program prints."""
import os
import pathlib
import pty
import re
import shutil
import subprocess
import unittest

from harness import BINARY, LabTest
from test_cli import COMMANDS

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/sparklesworker.1"


class ManualPage(LabTest):
    def setUp(self):
        super().setUp()
        worker = self.lab.run("man")
        self.assertEqual((worker.exit_code, worker.stderr), (0, ""))
        self.page = worker.stdout

    def test_manual_page_in_docs_is_current(self):
        self.assertEqual(PAGE.read_text(encoding="utf-8"), self.page, "run `make man`")

    def test_manual_page_has_each_command_and_flag(self):
        consume = set()
        for command in COMMANDS:
            self.assertIn(f"\n.SS {command}\n", self.page)
            section = self.page.split(f"\n.SS {command}\n")[1].split("\n.S")[0]
            text = self.lab.run(command, "--help").stdout
            flags = set(re.findall(r"(?m)^  (--.*?)(?:  |$)", text))
            tags = {re.sub(r"\\f[BIR]", "", tag).replace("\\-", "-")
                    for tag in re.findall(r"(?m)^\.TP\n(.*)", section)}
            if command == "doctor":  # the page shows the flags of consume once
                self.assertIn("\nAll flags of consume, with the same meaning.", section)
                flags -= consume
            consume = flags if command == "consume" else consume
            self.assertEqual(tags, flags, command)

    def test_manual_page_has_each_code_and_signal(self):
        status = self.page.split("\n.SH EXIT STATUS\n")[1].split("\n.SH EXAMPLES")[0]
        codes = re.findall(r"(?m)^  (\d+) ", self.lab.run("--help").stdout)
        self.assertGreater(len(codes), 10)
        for word in (*codes, "SIGTERM, SIGINT, SIGUSR2, SIGXCPU", "SIGUSR1, SIGQUIT"):
            self.assertIn(f".TP\n\\fB{word}\\fR\n", status)

    @unittest.skipUnless(shutil.which("groff"), "groff is missing")
    def test_manual_page_renders_without_warnings(self):
        done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-P-cbou"], input=self.page,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for text in ("--tasksDir DIR", "'*_TOKEN'", "`ulimit -n`", "CLUSTER \\\n"):
            self.assertIn(text, done.stdout)


class Shell:
    """An interactive bash without settings, which has loaded the program's completion."""

    def __init__(self, directory):
        self.keys, terminal = pty.openpty()
        # pylint: disable=consider-using-with
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-i"], cwd=directory, stdin=terminal,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "dumb", "INPUTRC": "/dev/null",
                 "HISTFILE": "", "LC_ALL": "C.UTF-8"})
        os.close(terminal)
        self.answer(f"source <({BINARY} completion); echo ready\n")

    def answer(self, keys):
        os.write(self.keys, keys.encode())
        return self.bash.stdout.readline().decode().strip()

    def complete(self, line):
        """The line after a tab. Ctrl-A goes to its start, so that bash prints the line."""
        return self.answer(f"sparklesworker {line}\t\x01echo \n").removeprefix("sparklesworker ")

    def close(self):
        self.bash.kill()
        self.bash.wait()
        self.bash.stdout.close()
        os.close(self.keys)


@unittest.skipUnless(shutil.which("bash"), "bash is missing")
class Completion(LabTest):
    def candidates(self, *words):
        """The completions for the last word. Bash splits --name=value into three words."""
        script = self.lab.run("completion").stdout
        done = subprocess.run(
            ["bash", "-c", f'{script}\nCOMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n'
             '_sparklesworker && printf "%s\\n" "${COMPREPLY[@]}"',
             "bash", "sparklesworker", *words],
            capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_commands_are_offered(self):
        self.assertEqual(sorted(self.candidates("")), sorted([*COMMANDS, "--help", "--version"]))
        self.assertEqual(self.candidates("s"), ["summary", "status"])

    def test_flags_of_each_command_are_offered(self):
        for command in COMMANDS:
            entries = re.findall(r"(?m)^  (-.*?)(?:  |$)", self.lab.run(command, "--help").stdout)
            flags = re.findall(r"--[\w-]+", " ".join(entries))
            self.assertIn("--help", flags)
            self.assertEqual(sorted(self.candidates(command, "")), sorted(flags))

    def test_choices_are_offered(self):
        for words in (("--logFormat", ""), ("-logFormat", ""), ("--logFormat", "=")):
            self.assertEqual(self.candidates("consume", *words), ["text", "json"])
        self.assertEqual(self.candidates("consume", "--logLevel", "=", "w"), ["warning"])

    def test_other_values_are_not_offered(self):
        self.assertEqual(self.candidates("consume", "--cluster", ""), [])
        self.assertEqual(self.candidates("consume", "--port", "="), [])

    def test_tab_key_completes_names(self):
        (self.lab.directory / "one file.json").touch()
        (self.lab.directory / "one directory").mkdir()
        shell = Shell(self.lab.directory)
        self.addCleanup(shell.close)
        self.assertEqual(shell.complete("cons"), "consume")
        self.assertEqual(shell.complete("consume --tasksF"), "consume --tasksFile")
        self.assertEqual(shell.complete("consume --logFormat=j"), "consume --logFormat=json")
        self.assertEqual(shell.complete("consume --tasksFile one\\ f"),
                         "consume --tasksFile one file.json")
        self.assertEqual(shell.complete("consume --tasksDir one"),
                         "consume --tasksDir one directory/")


if __name__ == "__main__":
    unittest.main()
