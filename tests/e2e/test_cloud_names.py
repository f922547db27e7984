"""Tests of unusual object names and of encodings."""
import gzip
import json
import unittest

from cloud_lab import BUCKET, CloudLabTest

PACKED = gzip.compress(b"unpacked\n" * 1000)
# Names of outputs, which must be valid file names.
FILES = ["a b", "a#b", "a?b", "a%b", "a%2Fb", "a+b", "a&b=c", "ü/é", "日本/語.txt", "a\\b",
         "[x]", "..b", ".hidden/.b", "a:b@c", "'\"`$(x)", "~", "e\u0301", "tab\there", "\x7f", "*",
         "d/" * 100 + "deep"]
# Names of inputs, which need not be valid file names.
OBJECTS = ["/leading", "//two", "a//b", "../up", "a/../b", "./a/.", "a b+c%20d", "?",
           "#", "%", "%zz", "ünï/cödé", "\U0001f9ec", "x" * 1024, "é" * 512, "a\tb"]


class ObjectNames(CloudLabTest):
    def test_unusual_input_names_work(self):
        downloads = []
        for number, name in enumerate(OBJECTS):
            self.lab.put(name, f"{number}\n".encode())
            downloads.append(self.lab.download(self.lab.url(name), f"in-{number:03}"))
        self.lab.write_tasks([self.lab.task("in.1", "cat in-*", downloads=downloads)])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_complete("in.1")
        lines = [line for line in self.lab.log("in.1").splitlines() if "sparkles:" not in line]
        self.assertEqual(lines, [str(number) for number in range(len(OBJECTS))])

    def test_unusual_output_names_work(self):
        script = self.lab.directory / "make.py"
        script.write_text("import os, sys\n"
                          f"for name in {FILES!r}:\n"
                          "    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)\n"
                          "    open(name, 'w').write(name)\n", encoding="utf-8")
        self.lab.write_tasks([self.lab.task("out.1", f"PYTHONUTF8=1 python3 {script}")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_complete("out.1")
        stored = {name: data for name, data in self.lab.stored("out.1").items()
                  if name not in ("stdout.txt", "result.json")}
        self.assertEqual(stored, {name: name.encode() for name in FILES})
        self.assert_delivered("out.1")

    def test_unusual_job_prefix_works(self):
        top = "jöb #1? 100%/../x"
        spec = self.lab.spec("odd.1", "echo x > f", uploads={
            "include_patterns": ["**"], "exclude_patterns": [], "dst_url": self.lab.url(top)})
        spec["stdout_url"] = self.lab.url(f"{top}/log")
        spec["command_result_url"] = self.lab.url(f"{top}/result")
        args = self.lab.put(f"{top}/args", json.dumps(spec).encode())
        self.lab.write_tasks([self.lab.entity("odd.1", args)])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_complete("odd.1")
        self.assertEqual(set(self.lab.stored(top)), {"args", "f", "log", "result"})

    def test_invalid_names_fail_tasks(self):
        bad = ["gs://", "gs://lab", "gs://lab/", "gs://lab/folder/", "gs:///x",
               "gs://lab/" + "x" * 1025, "gs://lab/a\nb", "gs://lab/a\rb", "gs://../x",
               "gs://a/b?c/x", "http://lab/x"]
        for number, url in enumerate(bad, 1):
            self.lab.write_tasks([self.lab.task(f"bad.{number}", "true", downloads=[
                self.lab.download(url, "x")])])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        for number, url in enumerate(bad, 1):
            state = self.lab.states()[f"bad.{number}"]
            self.assertEqual(state.status, "failed", url)
            self.assertTrue(state.failure_reason, url)


class ContentEncoding(CloudLabTest):
    def test_gzip_objects_arrive_as_stored(self):  # D13
        self.lab.put("z", PACKED, contentEncoding="gzip", contentType="text/plain")
        self.lab.write_tasks([self.lab.task("z.1", "gunzip < z > plain", downloads=[
            self.lab.download(self.lab.url("z"), "z")])])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_complete("z.1")
        self.assertEqual(self.lab.stored("z.1")["plain"], gzip.decompress(PACKED))
        for request in self.cloud.requests("object.media"):
            self.assertIn("gzip", request.headers["accept-encoding"])

    def test_gzip_download_is_resumed(self):
        self.lab.put("z", PACKED * 2000, contentEncoding="gzip")
        self.fault(kind="object.media", action="cut", response_bytes=50_000)
        self.lab.write_tasks([self.lab.task("z.1", "wc -c < z", downloads=[
            self.lab.download(self.lab.url("z"), "z")])])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assertIn(str(len(PACKED * 2000)), self.lab.log("z.1"))

    def test_transcoded_object_is_machine_fault(self):
        # Content that a server or proxy has decompressed cannot be checked; the reason must say so.
        # On another machine the object may arrive unchanged.
        self.lab.put("in/t", PACKED, contentEncoding="gzip")
        self.fault(kind="object.media", path="in(%2F|/)t", action="status", code=200, count=0,
                   apply=True, body=gzip.decompress(PACKED).decode(), headers={
                       "X-Goog-Stored-Content-Encoding": "gzip", "X-Goog-Generation": "1",
                       "X-Goog-Stored-Content-Length": str(len(PACKED)),
                       "X-Goog-Hash": f"crc32c={self.crc_of('in/t')}"})
        self.lab.write_tasks([self.lab.task("t.1", "true", downloads=[
            self.lab.download(self.lab.url("in/t"), "t")])])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 5)
        state = self.lab.states()["t.1"]
        self.assertEqual(state.status, "pending")
        self.assertRegex(state.history[-1]["failure_reason"],
                         "^machine fault: .*in/t.* decompresses the object on its way")

    def crc_of(self, name):
        return self.lab.storage.find(BUCKET, name).crc32c


if __name__ == "__main__":
    unittest.main()
