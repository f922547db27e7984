"""Tests of `summary` on a tasks file: its statistics, formats, order, and width."""
import csv
import fcntl
import io
import json
import os
import pathlib
import struct
import subprocess
import termios
import time
import unittest

from harness import BINARY, LabTest

FIELDS = ["task_id", "status", "failed", "exit_code", "wall_seconds", "cpu_seconds", "cpus_used",
          "peak_memory_bytes", "outputs", "machine_type", "machine_cpus", "machine_memory_bytes",
          "cause", "reason"]


def usage(cpu_seconds, wall_seconds, peak_kib):
    return {"user_cpu_time": {"Sec": int(cpu_seconds), "Usec": 0},
            "system_cpu_time": {"Sec": 0, "Usec": 0}, "max_memory_size": 1,
            "elapsed_time": wall_seconds, "peak_memory_size": peak_kib}


def machine(kind="n1-standard-4", cpus=4, memory=16_000_000_000):
    return {"machine_type": kind, "number_of_cpus": cpus, "memory_total": memory}


class SummaryTest(LabTest):
    def summary(self, *flags, exit_code=0, **options):
        worker = self.lab.run("summary", "--tasksFile", self.lab.tasks_file, *flags, **options)
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def objects(self, *flags):
        return json.loads(self.summary("--format", "json", *flags).stdout)

    def write_result(self, name, **keys):
        self.lab.put(f"{name}/result.json", json.dumps({"files": [], **keys}).encode())

    def make_tasks(self, count, command="true"):
        self.run_tasks(*(self.lab.task(f"job.{i}", command) for i in range(1, count + 1)))


class Advice(SummaryTest):
    def test_half_the_machine_is_advised(self):
        self.make_tasks(5)
        for i in range(1, 6):
            self.write_result(f"job.{i}", machine_stats=machine(),
                              resource_usage=usage(cpu_seconds=18 * i, wall_seconds=100,
                                                   peak_kib=600_000 * i))
        text = self.summary().stdout
        self.assertIn("Peak memory 3.1 GB of 16.0 GB, CPU 0.9 of 4: half this machine would do",
                      text)
        self.assertIn("(--slots 3)", text)
        self.assertIn("Machine: n1-standard-4, 4 processors, 16.0 GB of memory (5 tasks)", text)
        self.assertRegex(text, r"(?m)^CPU +0\.2 +0\.5 +0\.9 +0\.9 +5$")
        self.assertRegex(text, r"(?m)^PEAK MEMORY +614 MB +1\.8 GB +2\.9 GB +3\.1 GB +5$")

    def test_real_tasks_have_known_numbers(self):
        self.make_tasks(5, "head -c 1000000 /dev/zero | tail -c 1 > out")
        json_object = self.objects()
        for key in ("wall_seconds", "cpus_used", "peak_memory_bytes"):
            values = json_object["statistics"][key]
            self.assertEqual(values["tasks"], 5, values)
            self.assertLessEqual(values["min"], values["median"])
            self.assertLessEqual(values["p95"], values["max"])
            self.assertGreater(values["max"], 0)
        machines = json_object["statistics"]["machines"]
        self.assertEqual([each["cpus"] for each in machines], [os.cpu_count()])
        self.assertIn("Peak memory ", json_object["advice"]["text"])
        self.assertGreaterEqual(json_object["advice"]["needed_memory_bytes"], 500_000_000)

    def test_few_tasks_give_no_advice(self):
        self.make_tasks(1)
        self.assertIn("No advice on the machine: 1 task has ended", self.summary().stdout)


class Failures(SummaryTest):
    def test_similar_failures_are_one_line(self):
        missing = [self.lab.task(f"job.{i}", "true", downloads=[
            self.lab.download(self.lab.url(f"no/{i}.txt"), f"in{i}.txt")]) for i in range(1, 21)]
        self.run_tasks(*missing, self.lab.task("job.21", "exit 3"),
                       self.lab.task("job.22", "kill -SEGV $$"), self.lab.task("job.23", "true"))
        lines = self.summary().stdout.splitlines()
        causes = lines[next(i for i, line in enumerate(lines) if line.startswith("COUNT")) + 1:]
        self.assertEqual(len(causes), 3, causes)
        self.assertRegex(causes[0], r"^20 +downloads: \*: \*: .* job\.1: downloads: in1\.txt: ")
        self.assertRegex(causes[1], r"^1 +exit code 3 +job\.21$")
        self.assertRegex(causes[2], r"^1 +signaled\(segmentation fault\) +job\.22: signal: ")

    def test_failed_shows_only_failures(self):
        self.run_tasks(self.lab.task("good.1", "true"), self.lab.task("odd.2", "exit 3"),
                       self.lab.task("bad.3", "true", working_dir="nowhere"))
        found = self.objects("--failed")
        self.assertEqual([row["task_id"] for row in found["tasks"]], ["odd.2", "bad.3"])
        self.assertEqual(found["statistics"]["tasks"], 3)
        self.assertEqual(found["statistics"]["statuses"], [
            {"status": "complete", "tasks": 2}, {"status": "failed", "tasks": 1}])
        table = self.summary("--failed").stdout
        self.assertNotIn("good.1", table)
        self.assertIn("3 tasks: 2 complete, 1 failed", table)
        rows = self.summary("--failed", "--format=csv").stdout.splitlines()
        self.assertEqual([row.split(",")[0] for row in rows], ["task_id", "odd.2", "bad.3"])


class Formats(SummaryTest):
    def test_json_and_csv_have_same_rows(self):
        self.run_tasks(self.lab.task("a.1", "true"), self.lab.task("a.2", "exit 3"),
                       self.lab.task("a.3", "true", working_dir="no, \"such\""))
        rows = self.objects()["tasks"]
        self.assertEqual(list(rows[0]), FIELDS)
        worker = self.summary("--format", "csv")
        text = worker._stdout_path.read_bytes().decode()
        self.assertEqual(text.count("\r\n"), 4)
        cells = list(csv.DictReader(io.StringIO(text, newline="")))
        for row, line in zip(rows, cells, strict=True):
            for name, value in row.items():
                expected = ("" if value is None else value if isinstance(value, str)
                            else json.dumps(value))
                self.assertEqual(line[name], expected, name)
        self.assertIn('no, "such"', cells[2]["reason"])
        self.assertEqual(rows[0]["machine_cpus"], os.cpu_count())

    def test_rows_are_sorted(self):
        self.make_tasks(3)
        for i, wall in ((1, 20), (3, 3)):
            self.write_result(f"job.{i}", resource_usage=usage(1, wall, 1))
        (self.lab.store / "job.2/result.json").unlink()

        def order(*flags):
            return [row["task_id"][-1] for row in self.objects(*flags)["tasks"]]

        self.assertEqual(order(), ["1", "2", "3"])
        self.assertEqual(order("--reverse"), ["3", "2", "1"])
        self.assertEqual(order("--sort", "wall"), ["3", "1", "2"])
        self.assertEqual(order("--sort", "wall", "--reverse"), ["1", "3", "2"])

    def test_unknown_column_is_a_usage_error(self):
        self.lab.write_tasks([])
        for flags in (("--sort", "size"), ("--format", "xml"), ("--job", "j")):
            self.assertIn("--", self.summary(*flags, exit_code=2).stderr)


class Terminal(SummaryTest):
    def setUp(self):
        super().setUp()
        self.reason = "x" * 150
        self.lab.write_tasks([self.lab.task("任务.1", "true", working_dir=self.reason)])
        self.lab.consume()

    def on_terminal(self, columns):
        leader, follower = os.openpty()
        self.addCleanup(os.close, leader)
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        done = subprocess.run([BINARY, "summary", "--tasksFile", self.lab.tasks_file],
                              stdout=follower, stderr=subprocess.PIPE, check=False)
        os.close(follower)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            text += piece
        return text.decode().splitlines()

    def test_wide_table_is_cut_to_terminal(self):
        line = self.on_terminal(100)[1]
        self.assertIn("...", line)
        # Each wide character takes two columns.
        self.assertLessEqual(len(line) + line.count("任") + line.count("务"), 100)
        self.assertNotIn("...", self.on_terminal(400)[1])

    def test_pipe_gets_whole_lines(self):
        text = self.summary().stdout
        self.assertIn(self.reason, text)

    def test_closed_pipe_is_no_error(self):
        reader, writer = os.pipe()
        os.close(reader)
        worker = self.lab.start("summary", "--tasksFile", self.lab.tasks_file, stdout=writer)
        os.close(writer)
        self.assertEqual((worker.wait().exit_code, worker.stderr), (0, ""))

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "there is no /dev/full")
    def test_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            worker = self.lab.start("summary", "--tasksFile", self.lab.tasks_file, stdout=full)
        self.assertEqual(worker.wait().exit_code, 1)
        self.assertIn("stdout", worker.stderr)


class Results(SummaryTest):
    def test_unreadable_result_is_named(self):
        self.make_tasks(3)
        (self.lab.store / "job.2/result.json").unlink()
        (self.lab.store / "job.2/result.json").mkdir()
        worker = self.summary(exit_code=1)
        self.assertIn("cannot read the results of 1 task, the first: file://", worker.stderr)
        self.assertIn("job.2/result.json", worker.stderr)
        self.assertRegex(worker.stdout, r"job\.2 +complete +0 +- +- +- +-")
        self.assertRegex(worker.stdout, r"(?m)^WALL .* 2$")

    def test_malformed_result_is_named(self):
        self.make_tasks(2)
        self.lab.put("job.2/result.json", b'{"files": [')
        worker = self.summary()
        self.assertIn("job.2/result.json", worker.stderr)
        self.assertRegex(worker.stdout, r"job\.2 +complete +0 +- +- +- +-")

    def test_missing_result_is_no_error(self):
        self.make_tasks(2)
        (self.lab.store / "job.2/result.json").unlink()
        self.assertEqual(self.summary().stderr, "")

    def test_old_result_has_dashes(self):
        self.make_tasks(1)
        old = usage(1, 1, 1)
        del old["elapsed_time"], old["peak_memory_size"]
        self.write_result("job.1", resource_usage={**old, "max_memory_size": 2_000_000})
        row = self.objects()["tasks"][0]
        self.assertEqual((row["wall_seconds"], row["cpus_used"], row["machine_cpus"]), (None,) * 3)
        self.assertEqual(row["peak_memory_bytes"], 2_048_000_000)

    def test_long_result_among_many_is_read(self):
        count = 5000
        with open(self.lab.tasks_file, "w", encoding="utf-8") as file:
            for i in range(count):
                file.write(json.dumps(self.lab.task(f"job.{i}", "true")) + "\n")
        self.lab.state_file.write_text('{"format":"sparkles-state-1"}\n' + "".join(
            json.dumps({"task_id": f"job.{i}", "status": "complete", "exit_code": "0",
                        "timestamp": time.time(), "version": 2}) + "\n" for i in range(count)))
        for i in range(count):
            self.write_result(f"job.{i}", machine_stats=machine(),
                              resource_usage=usage(1, 2, 1000))
        files = [{"src": f"{i:0100}"} for i in range(100_000)]
        self.write_result("job.7", files=files)
        found = self.objects()
        self.assertEqual(found["statistics"]["wall_seconds"]["tasks"], count - 1)
        self.assertEqual(found["tasks"][7]["outputs"], len(files))
        self.assertEqual(found["tasks"][-1]["task_id"], f"job.{count - 1}")


if __name__ == "__main__":
    unittest.main()
