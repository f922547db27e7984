"""Runs `doctor`, and reads its lines."""
import re
import time

from cloud_lab import CloudLabTest
from harness import SLOWNESS

QUICK = 5.0  # seconds for a set-up whose servers answer


class DoctorMixin:
    """For a LabTest."""

    def doctor(self, *flags, exit_code=1, seconds=QUICK, **options):
        """Runs `doctor` with the flags of consume_arguments and `flags`; returns its lines."""
        arguments = ("doctor", *self.lab.consume_arguments()[1:], *flags)
        started = time.monotonic()
        worker = self.lab.run(*arguments, **options)
        self.assertLess(time.monotonic() - started, seconds * SLOWNESS, worker.stdout)
        self.assertEqual(worker.exit_code, exit_code, worker.stdout + worker.stderr)
        self.assertEqual(worker.stderr, "")
        self.assertEqual(list(self.lab.directory.rglob(".sparkles-*")), [])
        return worker.stdout

    def assert_finding(self, output, level, thing, finding, remedy):
        """Checks that a line has this level, thing, finding and remedy (regular expressions)."""
        line = rf"^{level} +{thing}: .*{finding}.*\. Remedy: .*{remedy}"
        self.assertRegex(output, re.compile(line, re.MULTILINE))

    def assert_only_failure(self, output, thing, finding, remedy):
        """Checks that this is the only line with FAIL."""
        self.assert_finding(output, "FAIL", thing, finding, remedy)
        failures = [line for line in output.splitlines() if line.startswith("FAIL ")]
        self.assertEqual(len(failures), 1, output)


class CloudDoctorTest(DoctorMixin, CloudLabTest):
    """With the emulator of Datastore and our server for Cloud Storage and metadata."""

    def refuse(self, kind, code, status, message, **more):
        """Makes the server answer as Google refuses."""
        return self.fault(kind=kind, action="status", code=code, count=0,
                          body={"error": {"code": code, "status": status, "message": message,
                                          **more}})
