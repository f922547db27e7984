"""Tests of the Monitor with a standard gRPC client."""
import codecs
import contextlib
import os
import pathlib
import socket
import unittest

from cloud_lab import value
from harness import wait_until
from monitor_lab import SECRET, MonitorTest, blob

# Characters of one to four bytes, so that some piece of a log ends within a character.
LINE = "naïve Größe 漢字 🧬 α→β\n"
LIST_SERVICES = "\x3a\x00"  # ServerReflectionRequest{list_services: ""}
DESCRIBE = "\x22\x07Monitor"  # ... {file_containing_symbol: "Monitor"}


class Tail:
    """Reads a task's log as `sparkles` does, and decodes each reply strictly."""

    def __init__(self, client, task, size=100_000):
        self.client, self.task, self.size = client, task, size
        self.offset = 0
        self.text = ""

    def poll(self):
        """True if the task's log is complete."""
        while True:
            answer = self.client.read(self.task, self.offset, self.size)
            if answer.code == "NOT_FOUND" and self.offset == 0:
                return False
            assert answer.code == "OK", answer
            data = answer.reply["data"].encode("latin-1")
            self.text += codecs.decode(data, "utf-8", "strict")
            self.offset += len(data)
            assert answer.reply["newOffset"] == self.offset, answer.reply
            if answer.reply["endOfFile"]:
                return "sparkles-log-complete" in answer.trailing


class MonitorServesTest(MonitorTest):
    @staticmethod
    def wait_for_log(client):
        """Waits, because the log appears a little later than the claim in Datastore."""
        wait_until(lambda: client.read("job.1").code == "OK", "the log exists")

    def test_log_is_followed_to_its_end(self):
        # The task prints its last lines only after the reader has read the others.
        lines = 3000
        go_on = self.lab.directory / "go-on"
        worker = self.start_task(
            f"i=0; while [ $i -lt {lines} ]; do printf '%s' '{LINE}'; i=$((i+1)); done\n"
            f"while [ ! -e {go_on} ]; do sleep 0.02; done\n"
            "printf '\\344\\270'; sleep 0.2; printf '\\255\\n'",  # one character, in two writes
            "--shutdownAfter", "30")
        client = self.client()
        tail = Tail(client, "job.1", size=997)
        wait_until(lambda: tail.poll() or len(tail.text) >= lines * len(LINE), "the log is read")
        go_on.touch()
        wait_until(lambda: tail.poll() or "中" in tail.text, "the split character is read")
        self.gate.touch()
        wait_until(tail.poll, "the log is complete")  # its directory is removed by now
        self.assertEqual(tail.text, LINE * lines + "中\n")
        self.wait_for_status("job.1", "complete")
        self.assertEqual(self.lab.log("job.1"), tail.text)
        self.assertEqual(client.read("job.1", tail.offset).code, "OK")
        worker.signal(15)
        self.assertEqual(worker.wait().exit_code, 143, worker.stderr)

    def test_monitor_address_and_status_are_given(self):
        self.start_task("true")
        claim = self.lab.states()["job.1"]
        self.assertEqual(claim.monitor_address, f"localhost:{self.lab.port}")
        status = self.client().status().reply
        self.assertGreater(status["processCount"], 1)
        self.assertGreater(status["totalResident"], 1 << 20)
        self.assertGreater(status["memTotal"], status["memAvailable"])
        self.assertGreater(status["cpuIdle"], 0)
        self.end()

    def test_new_launcher_inherits_no_connection(self):
        go = self.lab.directory / "go"
        self.lab.write_tasks([
            self.lab.task("job.1", f"while [ ! -e {go} ]; do sleep 0.02; done; kill -9 $PPID"),
            self.lab.task("job.2", "ls /proc/$$/fd; readlink /proc/$PPID/fd/*; true")])
        worker = self.lab.start_watched()
        self.wait_for_status("job.1", "claimed")
        client = self.client()
        self.wait_for_log(client)
        self.assertGreater(self.sockets(worker), 2)  # one listens, others serve
        go.touch()
        self.assertEqual(worker.wait().exit_code, 0, worker.stderr)
        self.assertEqual(self.lab.states()["job.1"].status, "failed")
        self.assertEqual(self.lab.log("job.2").split()[:3], ["0", "1", "2"])
        # The launcher has only one connection: the one to the worker.
        self.assertEqual(self.lab.log("job.2").count("socket:"), 1, self.lab.log("job.2"))

    @staticmethod
    def sockets(worker):
        count = 0
        for each in pathlib.Path(f"/proc/{worker.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # the socket was closed meanwhile
                count += "socket:" in os.readlink(each)
        return count

    # D02, D57
    def test_wrong_secret_is_unauthenticated(self):
        self.start_task("echo treasure")
        client = self.client()
        self.wait_for_output(client, "job.1", "treasure")
        wrong = [(), (("shared-secret", ""),), (("shared-secret", SECRET[:-1]),),
                 (("shared-secret", SECRET + "x"),), (("shared-secret", "x" * 7000),),
                 (("shared-secret", SECRET), ("shared-secret", "x")), (("Authorization", SECRET),),
                 (("shared-secret-bin", SECRET),)]
        for metadata in wrong:
            if any(key != key.lower() or key.endswith("-bin") for key, _ in metadata):
                metadata = tuple((key.lower().replace("-bin", "-b"), text)
                                 for key, text in metadata)
            for method, request in (("ReadOutput", {"taskId": "job.1", "size": 10}),
                                    ("GetProcessStatus", {}), ("reflect", LIST_SERVICES)):
                answer = client.call(method, request, metadata)
                self.assertEqual((answer.code, answer.reply), ("UNAUTHENTICATED", None), metadata)
                self.assertNotIn("job.1", answer.details)
        self.assertEqual(client.read("job.1").code, "OK")
        self.end()

    def test_secret_allows_reflection(self):
        self.start_task("true")
        client = self.client()
        services = client.call("reflect", LIST_SERVICES)
        self.assertEqual(services.code, "OK")
        self.assertIn("Monitor", services.reply)
        self.assertIn("grpc.reflection", services.reply)
        described = client.call("reflect", DESCRIBE)
        for name in ("ReadOutput", "GetProcessStatus", "taskId", "memPressureFullAvg10"):
            self.assertIn(name, described.reply)
        self.end()

    # D56, D57
    def test_invalid_requests_are_refused(self):
        self.start_task("echo hello")
        client = self.client()
        self.wait_for_output(client, "job.1", "hello")
        for size, offset in ((0, 0), (-1, 0), (-2**31, 0), (10, -1), (10, -2**63), (-1, -1)):
            answer = client.read("job.1", offset, size)
            self.assertEqual(answer.code, "INVALID_ARGUMENT", (size, offset))
        for task in ("", "job.2", "../job.1", "job", "j" * 50_000, "\x00"):
            answer = client.read(task)
            self.assertEqual(answer.code, "NOT_FOUND", task[:20])
            self.assertNotIn("job.1", answer.details)
        past = client.read("job.1", 2**63 - 1, 2**31 - 1)
        self.assertEqual((past.code, past.reply["data"], past.reply["endOfFile"]), ("OK", "", True))
        everything = client.read("job.1", 0, 2**31 - 1)
        self.assertEqual(everything.reply["data"], "hello\n")
        self.end()

    def test_reply_has_at_most_one_mebibyte(self):
        self.start_task("head -c 3000000 /dev/zero | tr '\\0' x; echo end")
        client = self.client()
        self.wait_for_log(client)
        wait_until(lambda: client.read("job.1", 2_999_999).reply["data"].endswith("end\n"), "all")
        reply = client.read("job.1", 0, 2**31 - 1).reply
        self.assertEqual((len(reply["data"]), reply["newOffset"], reply["endOfFile"]),
                         (1 << 20, 1 << 20, False))
        self.end()

    # D58
    def test_binary_output_does_not_stall_reader(self):
        self.start_task("head -c 300000 /dev/urandom; printf '\\xe4' >&2; echo; echo end")
        client = self.client()
        self.wait_for_log(client)
        read = b""
        while not read.endswith(b"end\n"):
            reply = client.read("job.1", len(read), 1013).reply
            data = reply["data"].encode("latin-1")
            data.decode("utf-8")  # raises an error if a character is cut
            read += data
            self.assertEqual(reply["newOffset"], len(read))
        self.end()
        stored = self.lab.read(self.lab.url("job.1/stdout.txt"))
        self.assertEqual(len(read), len(stored))
        self.assertTrue(all(mine in (theirs, ord("?")) for mine, theirs in zip(read, stored)))
        with self.assertRaises(UnicodeDecodeError):
            stored.decode("utf-8")

    def test_truncated_or_removed_log_is_readable(self):
        more = self.lab.directory / "more"
        self.start_task("echo a long first line; rm stdout.txt; echo other > stdout.txt\n"
                        f"while [ ! -e {more} ]; do sleep 0.02; done\n"
                        "truncate -s 0 /proc/self/fd/1; echo new")
        client = self.client()
        self.wait_for_output(client, "job.1", "a long first line\n")
        more.touch()
        self.wait_for_output(client, "job.1", "new\n")
        answer = client.read("job.1", 18)
        self.assertEqual(answer.reply, {"data": "", "endOfFile": True, "newOffset": 0})
        self.assertIn("sparkles-log-cut", answer.trailing)
        self.end()


class MonitorKeepsLogsTest(MonitorTest):
    def held(self, worker):
        """Bytes of deleted files that the worker still holds open."""
        blocks = 0
        for each in pathlib.Path(f"/proc/{worker.pid}/fd").iterdir():
            try:
                status = each.stat()
            except OSError:
                continue
            blocks += status.st_blocks if status.st_nlink == 0 else 0
        return blocks * 512

    def test_kept_logs_stay_within_limit(self):
        quiet = {"uploads": {}, "stdout_url": "", "command_result_url": ""}
        sizes = {"job.1": 120, "job.2": 120, "job.3": 300, "job.4": 120}  # MiB
        self.lab.write_tasks([self.lab.task(name, f"fallocate -l {size}M stdout.txt", **quiet)
                              for name, size in sizes.items()])
        worker = self.lab.start_watched("--shutdownAfter", "60")
        for name in sizes:
            self.wait_for_status(name, "complete")
        wait_until(lambda: not list(self.lab.tasks_dir.glob("task-*")), "no directory is left")
        # The worker checks the limit before its next claim, about a second later.
        wait_until(lambda: 0 < self.held(worker) <= 256 << 20, "the logs are closed")
        client = self.client()
        kept = [name for name in sizes if client.read(name, 0, 1).code == "OK"]
        self.assertEqual(len(kept), 2, kept)
        self.assertNotIn("job.3", kept)
        worker.signal(15)
        worker.wait()


class MonitorIsOptionalTest(MonitorTest):
    def check_runs_without(self, *words):
        """The worker warns with `words`, runs its task, and records no Monitor address."""
        self.lab.write_tasks([self.lab.task("job.1", "echo hello")])
        worker = self.lab.start_watched().wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        warnings = [line for line in worker.stderr.splitlines() if "WARNING Monitor: " in line]
        self.assertEqual(len(warnings), 1, worker.stderr)
        for word in words:
            self.assertIn(word, warnings[0])
        self.assertNotIn(SECRET, worker.stderr)
        self.assertNotIn("PRIVATE KEY", worker.stderr)
        self.assert_once(["job.1"], worker)
        self.assertIsNone(self.lab.states()["job.1"].monitor_address)

    # D61
    def test_missing_keys_do_not_stop_tasks(self):
        self.lab.datastore.delete("ClusterKeys", "sparklespray")
        self.check_runs_without("ClusterKeys/sparklespray")

    def test_incomplete_keys_do_not_stop_tasks(self):
        for name, broken in (("cert", ...), ("private_key", value(7)), ("shared_secret", value("")),
                             ("shared_secret", value(None))):
            with self.subTest(name=name, broken=broken):
                self.lab.put_keys(**{name: broken})
                self.check_runs_without(name)

    def test_broken_certificate_does_not_stop_tasks(self):
        other = blob(self.lab.key_file.read_bytes())
        for keys in ({"cert": blob(b"no certificate")}, {"private_key": blob(b"\0\xff")},
                     {"cert": other}):
            with self.subTest(keys=keys):
                self.lab.put_keys(**keys)
                self.check_runs_without("certificate")

    # D61
    def test_busy_port_does_not_stop_tasks(self):
        with socket.create_server(("", self.lab.port), family=socket.AF_INET6,
                                  dualstack_ipv6=True):
            self.check_runs_without(f"port {self.lab.port}", "in use")

    def test_unavailable_keys_are_retried(self):
        self.lab.cloud.faults.add(kind="datastore.lookup", holds="ClusterKeys", action="status",
                                  code=503, count=0)
        worker = self.lab.start_watched("--shutdownAfter", "60")
        wait_until(lambda: "and tries again" in worker.stderr, "the keys cannot be had")
        self.lab.cloud.faults.clear()
        wait_until(lambda: "the Monitor listens" in worker.stderr, "the keys are there", 30)
        self.lab.write_tasks([self.lab.task("job.1", "echo hello")])
        self.wait_for_status("job.1", "complete")
        claim = self.lab.states()["job.1"]
        self.assertEqual(claim.monitor_address, f"localhost:{self.lab.port}")
        self.assertEqual(self.client().read("job.1").reply["data"], "hello\n")
        worker.signal(15)
        worker.wait()

    def test_tasks_file_runs_without_monitor(self):
        lab = self.lab
        lab.tasks_file.write_text('[{"task_id": "a.1", "args": {"command": "true"}}]')
        worker = lab.run("consume", "--tasksFile", lab.tasks_file, "--tasksDir", lab.tasks_dir,
                         "--cacheDir", lab.cache_dir, "--port", lab.port)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertIn("the Monitor needs the keys of a cluster", worker.stderr)


if __name__ == "__main__":
    unittest.main()
