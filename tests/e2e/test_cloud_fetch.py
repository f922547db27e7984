"""Tests of `fetch` from Cloud Storage: the file is complete and verified, or absent."""
import hashlib
import os
import time
import unittest

from cloud_lab import CloudLabTest

DATA = os.urandom(3 << 20)
MD5 = hashlib.md5(DATA).hexdigest()


class Fetch(CloudLabTest):
    def setUp(self):
        super().setUp()
        self.src = self.lab.put("tools/some file#1", DATA)
        self.dst = self.lab.directory / "bin" / "tool"

    def fetch(self, *flags, src=None, exit_code=0):
        done = self.lab.run("fetch", "--src", src or self.src, "--dst", self.dst, *flags)
        self.assertEqual(done.exit_code, exit_code, done.stderr)
        return done.stderr

    def assert_fetched(self):
        self.assertEqual(self.dst.read_bytes(), DATA)
        self.assertEqual(list(self.dst.parent.iterdir()), [self.dst])

    def assert_nothing_is_left(self):
        self.assertEqual(list(self.dst.parent.iterdir()) if self.dst.parent.exists() else [], [])

    def test_md5_is_optional_and_ignores_case(self):  # D54
        for flags in ((), ("--expectMD5", ""), ("--expectMD5", MD5), ("--expectMD5", MD5.upper())):
            self.fetch(*flags)
            self.assert_fetched()
            self.dst.unlink()

    def test_wrong_md5_names_both_checksums(self):
        wrong = "0123456789abcdef0123456789ABCDEF"
        message = self.fetch("--expectMD5", wrong, exit_code=1)
        self.assertIn(wrong.lower(), message.lower())
        self.assertIn(MD5, message)
        self.assert_nothing_is_left()
        self.dst.parent.mkdir(exist_ok=True)
        self.dst.write_bytes(b"what was there")
        self.fetch("--expectMD5", wrong, exit_code=1)
        self.assertEqual(self.dst.read_bytes(), b"what was there")

    def test_transient_faults_are_retried(self):
        for rule in ({"action": "status", "code": 503}, {"action": "cut"},
                     {"action": "cut", "response_bytes": 2 << 20},
                     {"action": "truncate", "bytes": 99, "honest": True},
                     {"action": "corrupt", "offset": 1 << 20}):
            self.fault(kind="object.media", **rule)
        self.fetch()
        self.assert_fetched()

    def test_lasting_errors_are_named(self):
        self.assertIn("no-such-bucket", self.fetch(src="gs://no-such-bucket/a", exit_code=1))
        self.assertIn("gs://lab/nothing", self.fetch(src="gs://lab/nothing", exit_code=1))
        self.fault(kind="object.media", action="corrupt", offset=1 << 20, count=0)
        started = time.monotonic()
        self.assertIn("gs://lab/tools", self.fetch(exit_code=1))
        self.assertLess(time.monotonic() - started, 60)
        self.assert_nothing_is_left()

    def test_empty_object_is_fetched(self):
        self.src = self.lab.put("empty", b"")
        self.fetch("--expectMD5", hashlib.md5(b"").hexdigest())
        self.assertEqual(self.dst.read_bytes(), b"")


if __name__ == "__main__":
    unittest.main()
