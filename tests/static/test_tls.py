"""Tests of TLS in an empty image: the built-in roots are used, and can be replaced."""
import os
import pathlib
import re
import unittest

from cloud_lab import make_certificate
from gcloud.server import Server
from harness import BINARY
from root_lab import RootTest

CONTENT = os.urandom(1 << 20)


class Tls(RootTest):
    """The server has a self-signed certificate for Google's names."""

    def setUp(self):
        self.make(shell=False)
        self.certificate, key = make_certificate(str(self.lab.directory))
        self.cloud = Server(certificate=(self.certificate, key))
        self.addCleanup(self.cloud.close)
        self.cloud.storage.make_bucket("lab")
        self.cloud.storage.put("lab", "a", CONTENT)

    def fetch(self, exit_code, **environment):
        worker = self.lab.run(
            "fetch", "--src", "gs://lab/a", "--dst", "/w/a",
            environment={"HTTPS_PROXY": f"http://{self.cloud.address}",
                         "GCE_METADATA_HOST": self.cloud.address, **environment})
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker.stderr

    def assert_fetched(self):
        self.assertEqual((self.lab.directory / "a").read_bytes(), CONTENT)

    def test_built_in_roots_refuse_other_certificate(self):
        """The error is about the certificate, not about missing roots."""
        said = self.fetch(exit_code=1)
        self.assertIn("certificate", said)
        self.assertIn("CA certificates: this program", said)

    def test_ssl_cert_file_replaces_roots(self):
        self.fetch(exit_code=0, SSL_CERT_FILE=self.lab.inside(self.certificate))
        self.assert_fetched()

    def test_image_roots_replace_built_in_roots(self):
        self.lab.add(self.certificate, "/etc/ssl/certs/ca-certificates.crt")
        self.fetch(exit_code=0)
        self.assert_fetched()

    def test_version_counts_roots_in_binary(self):
        said = self.lab.run("version", "--verbose").stdout
        count = int(re.search(r"ca-certificates 20\d{6}\S*, (\d+) roots", said)[1])
        program = pathlib.Path(BINARY).read_bytes()
        self.assertGreater(count, 100)
        self.assertEqual(program.count(b"-----BEGIN CERTIFICATE-----\n"), count)


if __name__ == "__main__":
    unittest.main()
