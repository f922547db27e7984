"""examples/startup-script.sh, with each of the tools that a bare VM may have."""
import hashlib
import os
import pathlib
import shutil
import tempfile
import unittest

from gcloud.server import Server
from harness import LabTest

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "startup-script.sh"
# Stands for the worker: says how it was called.
WORKER = b'#!/bin/sh\necho "started: $*"\n'
TOOLS = ("sh", "sed", "chmod", "mv", "mkdir", "sha256sum", "sleep", "env")


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

    def set(self, name, value):
        self.cloud.metadata.set(f"instance/attributes/{name}", value)

    def run_with(self, tool, exit_code=0):
        """Only `tool` can fetch."""
        tools = pathlib.Path(tempfile.mkdtemp(dir=self.lab.folder))
        for name in (*TOOLS, tool):
            found = shutil.which(name)
            if found is None:
                self.skipTest(f"no {name} here")
            (tools / name).symlink_to(os.path.realpath(found))
        worker = self.lab.run(
            SCRIPT, "--shutdownAfter", "7", program="/bin/sh",
            environment={"PATH": str(tools), "GCE_METADATA_HOST": self.cloud.address,
                         "STORAGE_EMULATOR_HOST": f"http://{self.cloud.address}",
                         "SPARKLES_FOLDER": str(self.lab.folder / "vm"), "SPARKLES_TRIES": "2"})
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def assert_starts_with(self, tool):
        worker = self.run_with(tool)
        vm = self.lab.folder / "vm"
        self.assertEqual(worker.stdout,
                         "started: consume --projectId the-project --cluster the-cluster "
                         f"--tasksDir {vm}/tasks --cacheDir {vm}/cache --shutdownAfter 7\n")
        self.assertEqual([path.name for path in vm.iterdir()], ["sparklesworker"])

    def test_curl(self):
        self.assert_starts_with("curl")

    def test_wget(self):
        self.assert_starts_with("wget")

    def test_python(self):
        self.assert_starts_with("python3")

    def test_another_content_is_not_started(self):
        self.set("sparkles-worker-sha256", "0" * 64)
        worker = self.run_with("python3", exit_code=1)
        self.assertIn("has not the SHA-256", worker.stderr)
        self.assertEqual(worker.stdout, "")

    def test_what_is_missing_is_said(self):
        self.set("sparkles-worker", "gs://lab/absent")
        self.assertIn("cannot read gs://lab/absent", self.run_with("python3", exit_code=1).stderr)
        self.set("sparkles-worker", "lab")
        self.assertIn("not gs://BUCKET/OBJECT", self.run_with("python3", exit_code=1).stderr)


if __name__ == "__main__":
    unittest.main()
