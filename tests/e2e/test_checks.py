"""The checker that `make check` relies on must be able to fail."""
import pathlib
import subprocess
import sys
import unittest

CHECKER = pathlib.Path(__file__).resolve().parent.parent / "check_includes.py"


class IncludeChecker(unittest.TestCase):
    def test_each_rule_bites(self):
        done = subprocess.run([sys.executable, CHECKER, "--self-test"], capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
