"""Tests of the Datastore queue: each task runs once, with a limited number of requests."""
import collections
import signal
import time
import unittest

from cloud_lab import CloudLabTest
from harness import SLOWNESS, proc_text, wait_until

PRICE = 3.2  # requests for each task: lookup, commit, commit, and a share of a query
NOTICED = 25  # seconds in which a test sees that the worker has noticed a change (limit: 20)


class Race(CloudLabTest):
    TASKS = 300

    def race(self, workers):
        marks = self.lab.directory / "marks"
        marks.mkdir()
        names = [f"job-{number % 3}.{number}" for number in range(1, self.TASKS + 1)]
        self.lab.write_tasks([
            self.lab.task(name, f"mktemp -p {marks} $SPARKLES_TASK_ID-XXXXXX") for name in names])
        # Each worker has its own directories, so that the workers share only the queue.
        racers = []
        for number in range(workers):
            top = self.lab.directory / f"machine-{number}"
            self.lab.tasks_dir, self.lab.cache_dir = top / "tasks", top / "cache"
            self.cloud.metadata.set("instance/name", f"worker-{number}")
            racers.append(self.lab.start_consume("--shutdownAfter", "2"))
            wait_until(lambda: self.has_identity(number), "a worker knows its name")
        for racer in racers:
            self.assertEqual(racer.wait(110).exit_code, 0, racer.stderr)
        self.assert_once(names)
        runs = collections.Counter(path.name.rpartition("-")[0] for path in marks.iterdir())
        self.assertEqual(runs, collections.Counter(names))
        owners = collections.Counter(state.owner for state in self.lab.states().values())
        self.assertEqual(len(owners), workers, owners)

    def has_identity(self, number):
        asked = [request for request in self.cloud.requests("metadata.get")
                 if request.path.endswith("instance/name") and request.status]
        return len(asked) > number

    def test_two_workers_run_each_task_once(self):
        self.race(2)

    def test_eight_workers_run_each_task_once(self):
        self.race(8)


class RequestCount(CloudLabTest):
    def test_task_takes_about_three_requests(self):
        tasks = 300
        self.lab.write_tasks([self.lab.task(f"a.{n}", "true") for n in range(1, tasks + 1)])
        self.assertEqual(self.lab.consume("--localhost", "--shutdownAfter", "3").exit_code, 0)
        kinds = [request.kind for request in self.cloud.requests()
                 if request.kind.startswith("datastore.")]
        last_commit = len(kinds) - 1 - kinds[::-1].index("datastore.commit")
        self.assertLessEqual(last_commit + 1, PRICE * tasks, collections.Counter(kinds))
        idle = kinds[last_commit + 1:]
        self.assertEqual(set(idle), {"datastore.runQuery"})
        self.assertLessEqual(len(idle), 7)  # waits of 0.5 s to 1 s, for 3 s

    def test_idle_polling_reads_only_keys(self):
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        for request in self.cloud.requests("datastore.runQuery"):
            self.assertIn(b"__key__", request.body)
            self.assertIn(self.lab.cluster.encode(), request.body)


class Waiting(CloudLabTest):
    def test_tasks_for_a_newer_worker_are_named(self):
        entity = self.lab.entity("a.1", self.lab.spec("a.1", "true"))
        entity["key"] = self.lab.datastore.key("SparklesV6Task", "a.1")
        self.lab.datastore.put(entity)
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        warnings = [line for line in worker.stderr.splitlines() if "SparklesV6Task" in line]
        self.assertEqual(len(warnings), 1, worker.stderr)
        self.assertIn("WARNING", warnings[0])
        self.assertEqual(len(self.cloud.requests("datastore.runQuery")), 3)

    def test_empty_first_query_is_repeated(self):  # D34
        started = time.monotonic()
        worker = self.lab.start_consume("--localhost")
        wait_until(lambda: any(request.status for request in
                               self.cloud.requests("datastore.runQuery")), "the first look")
        time.sleep(1)
        self.lab.write_tasks([self.lab.task("late.1", "true")])
        self.assertEqual(worker.wait(30).exit_code, 0, worker.stderr)
        took = time.monotonic() - started
        self.assert_complete("late.1")
        self.assertGreater(took, 9.5)
        self.assertLess(took, 25 * SLOWNESS)

    def lingering(self, environment, *flags):
        """The seconds that a worker waits after its only task."""
        self.lab.write_tasks([self.lab.task("only.1", "true")])
        worker = self.lab.start_consume("--localhost", *flags, environment=environment)
        self.wait_for_status("only.1", "complete")
        ended = time.monotonic()
        self.assertEqual(worker.wait(30).exit_code, 0, worker.stderr)
        return time.monotonic() - ended

    def test_batch_task_zero_lingers(self):  # D05, D33
        flags = ("--shutdownAfter", "0", "--ftShutdownAfter", "8")
        self.assertGreater(self.lingering({"BATCH_TASK_INDEX": "0"}, *flags), 4)
        self.assertLess(self.lingering({"BATCH_TASK_INDEX": "1"}, *flags), 6 * SLOWNESS)
        self.assertLess(self.lingering({}, *flags), 6 * SLOWNESS)
        flags = ("--shutdownAfter", "8", "--ftShutdownAfter", "0")  # the longer one applies
        self.assertGreater(self.lingering({"BATCH_TASK_INDEX": "0"}, *flags), 4)

    def test_version_mismatch_claims_nothing(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume("--localhost", "--expectedVersion", "no such version")
        self.assertEqual(worker.exit_code, 3)
        self.assertIn("no such version", worker.stderr)
        self.assertEqual(self.cloud.requests(), [])
        self.assertEqual(self.lab.states()["a.1"].status, "pending")

    def test_other_clusters_are_left_alone(self):
        others = self.lab.entity("b.1", self.lab.spec("b.1", "true"), cluster="other")
        self.lab.write_tasks([self.lab.task("a.1", "true"), others])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_complete("a.1")
        self.assertEqual(self.lab.states()["b.1"].entity, others)


class ClientChanges(CloudLabTest):
    """Changes that the client makes to tasks and jobs while a task runs."""

    def start_long_task(self, *flags):
        self.lab.write_tasks([self.lab.task("long.1", "echo begun; exec sleep 600")])
        worker = self.lab.start_consume("--localhost", *flags)
        self.wait_for_status("long.1", "claimed")
        wait_until(lambda: any("begun" in log.read_text() for log in
                               self.lab.tasks_dir.glob("task-*/work/stdout.txt")), "a log exists")
        return worker

    def running(self):
        """True if the command of a long task is alive."""
        return any("sleep\0" in proc_text(pid, "cmdline") for pid in self.lab.processes())

    def test_killed_job_ends_command(self):  # D29
        worker = self.start_long_task()
        self.lab.kill_job("long")
        wait_until(lambda: not self.running(), "the command has ended", NOTICED)
        self.assertEqual(worker.wait(40).exit_code, 0, worker.stderr)
        state = self.lab.states()["long.1"]
        self.assertEqual((state.status, state.count("killed")), ("killed", 1))
        self.assertIn("begun", self.lab.log("long.1"))

    def test_killed_job_starts_no_command(self):
        self.lab.kill_job("k")
        self.lab.write_tasks([self.lab.task("k.1", "echo ran"), self.lab.task("a.1", "true")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assertEqual(self.lab.states()["k.1"].status, "killed")
        self.assertEqual(self.lab.stored("k.1"), {})
        self.assert_complete("a.1")

    def test_reset_task_drops_old_result(self):  # D17
        worker = self.start_long_task()
        self.lab.reset_task("long.1")
        wait_until(lambda: "dropped" in worker.stderr, "the command has ended", NOTICED)
        # The worker ends the command, drops its result, and claims the task again.
        wait_until(lambda: self.lab.states()["long.1"].count("claimed") == 2, "claimed again", 40)
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143, worker.stderr)
        state = self.lab.states()["long.1"]
        self.assertEqual([line["status"] for line in state.lines],
                         ["pending", "claimed", "reset", "claimed", "reset"])
        self.assertEqual((state.status, state.owner, state.version), ("pending", None, 5))

    def test_hand_back_looks_like_reset(self):  # D36
        worker = self.start_long_task()
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(20).exit_code, 143, worker.stderr)
        self.assertLess(time.monotonic() - started, 20 * SLOWNESS)
        state = self.lab.states()["long.1"]
        self.assertEqual((state.status, state.owner, state.version), ("pending", None, 3))
        self.assertEqual((state.failure_reason, state.exit_code), (None, None))
        last = state.lines[-1]
        self.assertEqual(last["status"], "reset")
        self.assertTrue(last["failure_reason"])
        self.assertIn("begun", self.lab.log("long.1"))
        self.assertEqual(self.lab.processes(), [])

    def test_deleted_task_is_dropped(self):
        worker = self.start_long_task()
        self.lab.datastore.delete("SparklesV5Task", "long.1")
        self.assertEqual(worker.wait(40).exit_code, 0, worker.stderr)
        self.assertEqual(self.lab.states(), {})

    def test_ends_of_earlier_attempts_are_cleared(self):  # D26
        entity = self.lab.entity("a.1", self.lab.spec("a.1", "exit 4"), exit_code="77",
                                 failure_reason="of an earlier attempt", owner="who was it")
        self.lab.write_tasks([entity])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        state = self.lab.states()["a.1"]
        self.assertEqual((state.status, state.exit_code, state.failure_reason),
                         ("complete", "4", None))

    def test_ten_abandoned_claims_fail_task(self):
        history = [{"timestamp": 1.0 + n, "status": "claimed", "owner": "gone"} for n in range(10)]
        self.lab.write_tasks([
            self.lab.entity("evil.1", self.lab.spec("evil.1", "echo ran"), history=history,
                            version=21), self.lab.task("good.1", "true")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assert_failed("evil.1", "10")
        self.assert_complete("good.1")


if __name__ == "__main__":
    unittest.main()
