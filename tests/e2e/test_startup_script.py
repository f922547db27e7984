"""Tests of examples/startup-script.sh with each tool that a plain VM may have."""
import hashlib
import os
import pathlib
import shutil
import tempfile
import unittest

from gcloud.server import Server
from harness import LabTest

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "startup-script.sh"
# Replaces the worker, and prints its arguments.
WORKER = b'#!/bin/sh\necho "started: $*"\n'
TOOLS = ("sh", "sed", "cat", "rm", "chmod", "mv", "mkdir", "sha256sum", "sleep", "env", "uname")


class StartupScript(LabTest):
    def setUp(self):
        super().setUp()
        self.cloud = Server()
        self.addCleanup(self.cloud.close)
        self.cloud.storage.make_bucket("lab")
        self.cloud.storage.put("lab", "bin/some worker", WORKER)
        self.cloud.metadata.set("project/project-id", "the-project")
        self.set("sparkles-worker", "gs://lab/bin/some worker")
        self.set("sparkles-cluster", "the-cluster")
        self.set("sparkles-worker-sha256", hashlib.sha256(WORKER).hexdigest())
        self.set("sparkles-flags", " --shutdownAfter 7  --logLevel=* ")

    def set(self, name, value):
        self.cloud.metadata.set(f"instance/attributes/{name}", value)

    def run_with(self, tool, exit_code=0):
        """Runs the script with a PATH on which only `tool` can fetch."""
        tools = pathlib.Path(tempfile.mkdtemp(dir=self.lab.directory))
        for name in (*TOOLS, tool):
            found = shutil.which(name)
            if found is None:
                self.skipTest(f"no {name} here")
            (tools / name).symlink_to(os.path.realpath(found))
        worker = self.lab.run(
            SCRIPT, "--localhost", program="/bin/sh",
            environment={"PATH": str(tools), "GCE_METADATA_HOST": self.cloud.address,
                         "STORAGE_EMULATOR_HOST": f"http://{self.cloud.address}",
                         "SPARKLES_FOLDER": str(self.lab.directory / "vm"), "SPARKLES_TRIES": "2"})
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def assert_starts_with(self, tool):
        worker = self.run_with(tool)
        vm = self.lab.directory / "vm"
        self.assertEqual(worker.stdout,
                         "started: consume --projectId the-project --cluster the-cluster "
                         f"--tasksDir {vm}/tasks --cacheDir {vm}/cache --shutdownAfter 7 "
                         "--logLevel=* --localhost\n")
        self.assertEqual([path.name for path in vm.iterdir()], ["sparklesworker"])

    def test_curl_starts_worker(self):
        self.assert_starts_with("curl")

    def test_wget_starts_worker(self):
        self.assert_starts_with("wget")

    def test_python_starts_worker(self):
        self.assert_starts_with("python3")

    def test_missing_flags_are_tolerated(self):
        self.set("sparkles-flags", None)
        self.assertRegex(self.run_with("python3").stdout, "/cache --localhost\n")

    def test_partial_download_is_repeated(self):
        self.set("sparkles-worker-sha256", "")
        for tool in ("curl", "wget", "python3"):
            with self.subTest(tool):
                self.cloud.faults.add(action="truncate", path="alt=media", bytes=20)
                self.assert_starts_with(tool)
                self.cloud.faults.clear()

    def test_unavailable_checksum_is_awaited(self):
        self.set("sparkles-worker-sha256", "0" * 64)
        for tool in ("curl", "wget", "python3"):
            with self.subTest(tool):
                self.cloud.faults.add(action="status", path="sha256", code=503)
                self.assertIn("has not the SHA-256", self.run_with(tool, exit_code=1).stderr)
                self.cloud.faults.clear()

    def test_wrong_checksum_is_not_started(self):
        self.set("sparkles-worker-sha256", "0" * 64)
        for _boot in range(2):
            worker = self.run_with("python3", exit_code=1)
            self.assertIn("has not the SHA-256", worker.stderr)
            self.assertEqual(worker.stdout, "")
            self.assertEqual(list((self.lab.directory / "vm").iterdir()), [])

    def test_next_boot_starts_named_checksum(self):
        self.assert_starts_with("python3")
        self.cloud.forget()
        self.assert_starts_with("python3")
        self.assertEqual([each for each in self.cloud.requests() if "alt=media" in each.target], [])
        newer = WORKER.replace(b"started", b"newer")
        self.cloud.storage.put("lab", "bin/some worker", newer)
        self.set("sparkles-worker-sha256", hashlib.sha256(newer).hexdigest())
        self.assertIn("newer: consume", self.run_with("python3").stdout)

    def test_next_boot_without_checksum_downloads(self):
        self.set("sparkles-worker-sha256", None)
        self.assert_starts_with("curl")
        self.cloud.storage.put("lab", "bin/some worker", WORKER.replace(b"started", b"newer"))
        self.assertIn("newer: consume", self.run_with("curl").stdout)
        self.cloud.faults.add(action="status", path="alt=media", code=403, count=0)
        worker = self.run_with("curl")
        self.assertIn("newer: consume", worker.stdout)
        self.assertIn("the worker of an earlier boot", worker.stderr)

    def test_foreign_binary_is_not_kept(self):
        self.set("sparkles-worker-sha256", None)
        self.cloud.storage.put("lab", "bin/some worker", b"\x7fELF of another machine")
        worker = self.run_with("python3", exit_code=1)
        self.assertIn("does not run on this machine", worker.stderr)
        self.assertEqual(list((self.lab.directory / "vm").iterdir()), [])

    def test_missing_object_is_named(self):
        self.set("sparkles-worker", "gs://lab/absent")
        self.assertIn("cannot read gs://lab/absent", self.run_with("python3", exit_code=1).stderr)
        self.set("sparkles-worker", "lab")
        self.assertIn("not gs://BUCKET/OBJECT", self.run_with("python3", exit_code=1).stderr)


if __name__ == "__main__":
    unittest.main()
