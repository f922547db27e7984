"""Tests of content types, and of servers that describe objects differently."""
import hashlib
import unittest

from cloud_lab import BUCKET, CloudLabTest
from test_cloud_transfers import HUGE, LARGE, MIB


class ContentTypes(CloudLabTest):
    def test_objects_open_in_a_browser(self):
        plot = "'\\211PNG\\r\\n\\032\\n'"
        text = "text/plain; charset=utf-8"
        self.lab.write_tasks([self.lab.task(
            "a.1", f"printf {plot} > plot; printf {plot} > plot.png; echo x,y > t.csv; "
            f"gzip -k t.csv; echo hello > README; head -c 9000000 /dev/zero > zeros",
            stdout_url=self.lab.url("a.1/log"), command_result_url=self.lab.url("a.1/result"))])
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        found = self.lab.storage.objects(BUCKET, "a.1/")
        self.assertEqual(
            {name.removeprefix("a.1/"): each.metadata["contentType"]
             for name, each in found.items()},
            {"plot": "image/png", "plot.png": "image/png", "t.csv": "text/csv; charset=utf-8",
             "t.csv.gz": "application/gzip", "README": text, "zeros": "application/octet-stream",
             "log": text, "result": "application/json"})
        self.assertEqual({each.encoding for each in found.values()}, {""})


class StorageTestbench(CloudLabTest):
    """Servers that leave out zeros, or answer a Range with 200, like Google's testbench."""

    def test_empty_log_without_size_is_stored(self):
        self.cloud.objects_api.omits_zeros = True
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        for attempt in (1, 2):
            worker = self.lab.consume("--localhost", seconds=30)
            self.assertEqual(worker.exit_code, 0, worker.stderr)
            self.assertEqual(self.lab.states()["a.1"].status, "complete")
            self.assertEqual(self.lab.stored("a.1")["stdout.txt"], b"")
            if attempt == 1:  # the second attempt finds the empty object
                self.lab.reset_task("a.1")

    def test_ranges_with_status_200_are_read(self):
        self.cloud.objects_api.ranges_as_200 = True
        sources = {"slices": HUGE, "resumed": LARGE}
        for name, data in sources.items():
            self.lab.put(f"in/{name}", data)
        self.fault(kind="object.media", path="in%2Fresumed", action="cut", response_bytes=4 * MIB)
        self.lab.write_tasks([self.lab.task(
            f"{name}.1", "sha256sum < in.bin | cut -c1-64",
            downloads=[self.lab.download(self.lab.url(f"in/{name}"), "in.bin")])
                              for name in sources])
        worker = self.lab.consume("--localhost", seconds=60)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        for name, data in sources.items():
            wanted = hashlib.sha256(data).hexdigest()
            self.assertIn(wanted, self.lab.log(f"{name}.1").split())
        asked = [request for request in self.cloud.requests("object.media")
                 if "in%2Fresumed" in request.target]
        self.assertEqual(len(asked), 2)
        self.assertRegex(asked[1].headers["range"], r"^bytes=[1-9]\d*-")


if __name__ == "__main__":
    unittest.main()
