"""Runs a short storm of chaos.py; `make chaos` runs a long one."""
import os
import unittest

from chaos import Chaos
from gcloud import emulator


class ChaosTest(unittest.TestCase):
    def test_fifteen_seconds_of_chaos_pass(self):
        if "SPARKLES_TEST_DATASTORE" not in os.environ and emulator.why_not():
            self.skipTest(emulator.why_not())
        chaos = Chaos(seed=1, machines=3, tasks=40, seconds=15.0)
        problems = chaos.run(rest=60)
        self.assertEqual(problems, [], chaos.summary())
