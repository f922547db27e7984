"""Tests checkpoints of a real program that counts: killed, stopped and finished workers."""
import json
import signal
import unittest

from harness import LabTest, wait_until

# Counts to the number in its argument, and writes the count down after each step. On TERM it writes
# a last time, and ends. Names that it prints: the count that it starts with, and the last one.
COUNTER = """
import os, signal, sys, time
path = os.path.join(os.environ["SPARKLES_CHECKPOINT_DIR"], "count")
count = int(open(path).read()) if os.path.exists(path) else 0
print("starts with", count, "after attempt", os.environ.get("SPARKLES_RESTORED", "none"),
      flush=True)
def save():
    with open(path + ".tmp", "w") as file:
        file.write(str(count))
    os.rename(path + ".tmp", path)
def stop(*_):
    save()
    print("stops at", count, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
while count < int(sys.argv[1]):
    time.sleep(0.02)
    count += 1
    if os.environ.get("SAVES") != "only-on-term":
        save()
print("ends at", count, flush=True)
"""


class Counting(LabTest):
    def write_counter(self, steps, variables=""):
        program = self.lab.directory / "counter.py"
        program.write_text(COUNTER)
        self.lab.write_tasks([self.lab.task(
            "count.1", f"{variables} exec /usr/bin/python3 {program} {steps}")])

    def log(self):
        return (self.lab.store / "count.1/stdout.txt").read_text()

    def result(self):
        return json.loads((self.lab.store / "count.1/result.json").read_text())

    def checkpoint(self):
        return self.lab.store / "count.1/sparkles-checkpoint"

    def number_after(self, words):
        """The number that the program printed last after these words."""
        return int(self.log().rpartition(words)[2].split()[0])

    def wait_for_manifest(self):
        wait_until((self.checkpoint() / "manifest.json").exists, "a checkpoint is saved")

    def begun(self):
        wait_until(lambda: any("starts with" in log.read_text() for log in
                               self.lab.tasks_dir.glob("task-*/work/stdout.txt")), "it counts")

    def test_killed_worker_loses_one_interval(self):
        self.write_counter(400)
        first = self.lab.start_consume("--checkpointEvery", "1")
        self.wait_for_manifest()
        first.signal(signal.SIGKILL)
        first.wait()
        self.lab.worker_was_killed = True
        second = self.lab.start_consume("--checkpointEvery", "1").wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertIn("sparkles: restored 1 file, ", self.log())
        self.assertIn("after attempt 1", self.log())
        self.assertGreater(self.number_after("starts with"), 0)
        self.assertEqual(self.number_after("ends at"), 400)
        self.assertEqual(self.result()["checkpoint"]["restored_from_attempt"], 1)
        self.assertFalse(self.checkpoint().exists())

    def test_term_handler_saves_last_state(self):
        self.write_counter(100, "SAVES=only-on-term")
        first = self.lab.start_consume()
        self.begun()
        first.signal(signal.SIGTERM)
        first.wait()
        self.assertIn("the checkpoint is saved", first.stderr)
        stopped_at = self.number_after("stops at")
        second = self.lab.start_consume().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.number_after("starts with"), stopped_at)
        checkpoint = self.result()["checkpoint"]
        self.assertEqual((checkpoint["restored_from_attempt"], checkpoint["files"],
                          checkpoint["saves"]), (1, 1, 0))

    def test_deleted_state_starts_from_nothing(self):
        self.write_counter(100, "SAVES=only-on-term")
        first = self.lab.start_consume()
        self.begun()
        first.signal(signal.SIGTERM)
        first.wait()
        self.lab.state_file.unlink()
        second = self.lab.start_consume().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertEqual(self.number_after("starts with"), 0)

    def test_broken_checkpoint_starts_from_nothing(self):
        self.write_counter(100, "SAVES=only-on-term")
        first = self.lab.start_consume()
        self.begun()
        first.signal(signal.SIGTERM)
        first.wait()
        data, = self.checkpoint().glob("data-*")
        data.write_text("1000000")
        second = self.lab.start_consume().wait()
        self.assertEqual(second.exit_code, 0, second.stderr)
        self.assertIn("sparkles: a checkpoint is ignored: ", self.log())
        self.assertEqual(self.number_after("starts with"), 0)
        self.assertNotIn("checkpoint", self.result())

    def test_unused_directory_leaves_no_trace(self):
        command = 'test -d "$SPARKLES_CHECKPOINT_DIR" && sleep 1.5'
        self.lab.write_tasks([self.lab.task("a.1", command)])
        worker = self.lab.start_consume("--checkpointEvery", "1").wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertFalse((self.lab.store / "a.1/sparkles-checkpoint").exists())
        result = json.loads((self.lab.store / "a.1/result.json").read_text())
        self.assertEqual(result["return_code"], "0")
        self.assertNotIn("checkpoint", result)

    def test_zero_interval_saves_nothing(self):
        self.write_counter(1000)
        worker = self.lab.start_consume("--checkpointEvery", "0")
        self.begun()
        worker.signal(signal.SIGTERM)
        worker.wait()
        self.assertFalse(self.checkpoint().exists())

    def test_full_store_does_not_hurt_the_task(self):
        self.write_counter(100)
        self.checkpoint().parent.mkdir(parents=True)
        self.checkpoint().write_text("not a directory")
        worker = self.lab.start_consume("--checkpointEvery", "1").wait()
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertEqual(worker.stderr.count("the checkpoint is not saved"), 1)
        self.assertEqual(self.number_after("ends at"), 100)


if __name__ == "__main__":
    unittest.main()
