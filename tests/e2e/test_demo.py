"""Tests the examples that `make demo` and `make demo-checkpoint` run."""
import collections
import csv
import pathlib
import re
import subprocess
import unittest

from harness import BINARY, MARK, SLOWNESS, LabTest
from terminal import TerminalWorker

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def canonical(word):
    """The smaller of a word and its reverse complement."""
    return min(word, word[::-1].translate(str.maketrans("ACGT", "TGCA")))


class Demo(LabTest):
    def setUp(self):
        super().setUp()
        self.done = subprocess.run(
            [EXAMPLES / "run-demo.sh", BINARY], cwd=self.lab.directory, text=True, check=False,
            capture_output=True, timeout=110 * SLOWNESS,
            env={"PATH": "/usr/bin:/bin", MARK: str(self.lab.directory)})
        self.assertEqual(self.done.returncode, 0, self.done.stdout + self.done.stderr)
        self.directory = self.lab.directory / "demo-results"

    def contigs(self):
        text = (self.directory / "genome.fa").read_text()
        return ["".join(part.splitlines()[1:]) for part in text.split(">")[1:]]

    def table(self, task, name, delimiter):
        with open(self.directory / "results" / task / name, encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=delimiter))

    def test_results_are_right_and_one_task_fails(self):
        counts = collections.Counter()
        for contig in self.contigs():
            counts.update(canonical(contig[i:i + 5]) for i in range(len(contig) - 4))
        spectrum = self.table("genome.2", "spectrum-k5.tsv", "\t")
        self.assertEqual({row["kmer"]: int(row["count"]) for row in spectrum}, counts)

        bases = "".join(self.contigs())
        gc = (bases.count("G") + bases.count("C")) / len(bases)
        mean, = self.table("genome.6", "gc-mean.csv", ",")
        self.assertLess(float(mean["low95"]), gc)
        self.assertGreater(float(mean["high95"]), gc)
        windows = self.table("genome.5", "gc-windows.csv", ",")
        self.assertEqual(int(windows[-1]["end"]), len(self.contigs()[-1]))

        lines = {line.split()[0]: line for line in self.done.stdout.splitlines() if line.split()}
        for number in range(1, 7):
            self.assertIn("complete", lines[f"genome.{number}"])
        self.assertIn("failed", lines["genome.7"])
        self.assertIn("reference.tsv", lines["genome.7"])


class DemoOnTerminal(LabTest):
    def test_view_shows_both_slots(self):
        terminal = TerminalWorker(self.lab, BINARY, program=EXAMPLES / "run-demo.sh")
        self.addCleanup(terminal.close)
        terminal.wait_for(lambda: re.search(r"\n0  .*\n1  ", terminal.screen.text()),
                          "shows two slots")
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn("waiting", terminal.screen.text())


class CheckpointDemo(LabTest):
    def test_second_worker_continues(self):
        done = subprocess.run(
            [EXAMPLES / "run-checkpoint-demo.sh", BINARY], cwd=self.lab.directory, text=True,
            check=False, capture_output=True, timeout=60 * SLOWNESS,
            env={"PATH": "/usr/bin:/bin", MARK: str(self.lab.directory)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        stopped, = re.findall(r"^stopped after step (\d+)$", done.stdout, re.MULTILINE)
        begun = re.findall(r"^begins with step (\d+) of 60$", done.stdout, re.MULTILINE)
        self.assertEqual(begun, ["1", str(int(stopped) + 1)])
        self.assertIn("sparkles: restored 1 file, ", done.stdout)
        self.assertIn("all steps are done", done.stdout)


if __name__ == "__main__":
    unittest.main()
