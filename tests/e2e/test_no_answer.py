"""Tests of commands whose server does not answer: they end soon and give the reason."""
import socket
import time
import unittest

from cloud_lab import make_certificate
from harness import LabTest


class NoAnswer(LabTest):
    def bind_port(self, listens):
        """A port that refuses connections, or accepts them (`listens`) and never answers."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        if listens:
            sock.listen()
        return f"127.0.0.1:{sock.getsockname()[1]}"

    def run_within(self, seconds, *arguments, **environment):
        """Returns the message of a command that must fail within `seconds`."""
        started = time.monotonic()
        worker = self.lab.run(*arguments, environment=environment)
        self.assertEqual(worker.exit_code, 1, worker.stderr)
        self.assertLess(time.monotonic() - started, seconds)
        return worker.stderr

    def test_fetch_ends_without_credentials(self):
        for listens in (False, True):
            metadata = self.bind_port(listens)
            with self.subTest(listens=listens):
                said = self.run_within(
                    30, "fetch", "--src", "gs://lab/a", "--dst", self.lab.directory / "a",
                    GCE_METADATA_HOST=metadata, HOME=str(self.lab.directory), CLOUDSDK_CONFIG="",
                    GOOGLE_APPLICATION_CREDENTIALS="", STORAGE_EMULATOR_HOST="")
                self.assertIn("no credentials for Google Cloud", said)
                self.assertIn(metadata, said)
                self.assertFalse((self.lab.directory / "a").exists())

    def test_status_names_a_silent_port(self):
        certificate, _ = make_certificate(str(self.lab.directory))
        address = self.bind_port(listens=True)
        said = self.run_within(30, "status", "--address", address, "--certFile", certificate,
                               SPARKLES_MONITOR_SECRET="secret")
        self.assertIn(f"{address}: nothing answered within 20s", said)


if __name__ == "__main__":
    unittest.main()
