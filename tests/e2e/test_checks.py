"""Tests that the checkers of `make check` find errors."""
import pathlib
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent


class CheckerTest(unittest.TestCase):
    def assert_passes(self, checker, *arguments):
        done = subprocess.run([sys.executable, TESTS / checker, *arguments], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class IncludeChecker(CheckerTest):
    def test_each_rule_finds_violations(self):
        self.assert_passes("check_includes.py", "--self-test")


class DocsChecker(CheckerTest):
    def test_missing_proof_is_found(self):
        self.assert_passes("check_docs.py", "--self-test")

    def test_every_promise_has_its_test(self):
        self.assert_passes("check_docs.py")


class PagesChecker(CheckerTest):
    def test_each_rule_finds_violations(self):
        self.assert_passes("check_pages.py", "--self-test")

    def test_pages_match_the_code(self):
        self.assert_passes("check_pages.py")


class PagesRunner(CheckerTest):
    def test_failing_commands_are_found(self):
        self.assert_passes("run_docs.py", "--self-test")


if __name__ == "__main__":
    unittest.main()
