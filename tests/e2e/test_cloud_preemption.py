"""Tests of preemption and stop signals at each step: the worker ends in order within 20 s."""
import fnmatch
import os
import shlex
import signal
import time
import unittest

from cloud_lab import CloudLabTest
from gcloud.ports import free_port
from harness import SLOWNESS, wait_until
from test_cloud_health import ask

NOTICE = "the VM is being preempted"
IGNORES_TERM = "trap '' TERM; echo begun; while :; do sleep 0.2; done"
HEARS_TERM = IGNORES_TERM.replace("''", "'echo told'")


def in_a_child(script):
    """Like most commands: a shell, which TERM ends at once, with a program as its child."""
    return f"cd . && sh -c {shlex.quote(script)}; echo not reached"




class NoticeTest(CloudLabTest):
    def start(self, *flags, command="true", **changes):
        self.lab.write_tasks([self.lab.task("a.1", command, **changes)])
        return self.lab.start_consume("--shutdownAfter", "600", *flags)

    def preempt(self):
        self.cloud.metadata.set("instance/preempted", "TRUE")

    def end(self, worker, exit_code=75):
        """Waits for the end of the worker after a notice; returns the seconds."""
        started = time.monotonic()
        worker.wait(40)
        took = time.monotonic() - started
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        # The worker ends 19 s after the notice at the latest; stalls in these tests last a minute.
        self.assertLess(took, 25 * SLOWNESS, worker.stderr)
        wait_until(lambda: not self.lab.processes(), "all processes have ended", 5)
        return took

    def assert_handed_back(self, name="a.1"):
        state = self.lab.states()[name]
        self.assertEqual((state.status, state.owner, state.version), ("pending", None, 3))
        self.assertEqual((state.failure_reason, state.exit_code), (None, None))
        self.assertEqual([line["status"] for line in state.lines], ["pending", "claimed", "reset"])
        self.assertEqual(state.lines[-1]["failure_reason"], NOTICE)
        self.assertEqual(list(self.lab.tasks_dir.iterdir()), [])

    def asked(self, kind):
        return sum(fnmatch.fnmatchcase(request.kind, kind) for request in self.cloud.requests())

    def preempt_when(self, worker, kind, count=1):
        wait_until(lambda: self.asked(kind) >= count, f"{count} of {kind}")
        self.preempt()
        return self.end(worker)

    def begun(self, word="begun"):
        """Waits until the command has printed `word`."""
        wait_until(lambda: any(word in log.read_text() for log in
                               self.lab.tasks_dir.glob("task-*/work/stdout.txt")), "a log exists")


class Preemption(NoticeTest):
    """Preemption notices of the metadata server, as on a Spot VM."""

    def test_early_notice_prevents_claim(self):
        self.preempt()
        self.end(self.start())
        self.assertEqual(self.lab.states()["a.1"].version, 1)
        self.assertEqual(self.asked("datastore.runQuery"), 0)

    def test_notice_ends_idle_worker(self):
        worker = self.start()
        self.wait_for_status("a.1", "complete")
        self.preempt()
        self.assertLess(self.end(worker), 10 * SLOWNESS)

    def test_notice_during_claim_hands_back(self):
        self.fault(kind="datastore.commit", action="stall", seconds=3)
        self.preempt_when(self.start(), "datastore.commit")
        self.assert_handed_back()

    def test_notice_during_staging_hands_back(self):
        url = self.lab.put("in", os.urandom(3_000_000))
        self.fault(kind="object.media", action="stall", seconds=60, response_bytes=1000)
        worker = self.start(downloads=[self.lab.download(url, "in")])
        self.preempt_when(worker, "object.media")
        self.assert_handed_back()

    def test_notice_during_command_hands_back(self):
        worker = self.start(command="echo begun; exec sleep 600")
        self.begun()
        self.preempt()
        self.assertLess(self.end(worker), 10 * SLOWNESS)
        self.assert_handed_back()
        self.assertIn("begun", self.lab.log("a.1"))
        self.assertIn(NOTICE, self.lab.log("a.1"))

    def test_program_saves_state_within_grace(self):
        program = "trap 'sleep 1; echo state saved; exit' TERM; echo begun; "\
                  "while :; do sleep 0.1; done"
        worker = self.start(command=in_a_child(program))
        self.begun()
        self.preempt()
        self.end(worker)
        self.assert_handed_back()
        self.assertIn("state saved", self.lab.log("a.1"))
        self.assertNotIn("not reached", self.lab.log("a.1"))

    def test_next_worker_repeats_failed_hand_back(self):
        worker = self.start("--grace", "300", command=IGNORES_TERM)
        self.begun()
        self.fault(kind="upload.*", action="stall", seconds=60, count=0)
        self.fault(kind="datastore.commit", action="stall", seconds=60, count=0)
        self.preempt()
        self.end(worker)
        self.assertEqual(self.lab.states()["a.1"].status, "claimed")
        # The hand-back failed; the next worker on this machine repeats it.
        self.cloud.faults.clear()
        self.cloud.metadata.set("instance/preempted", "FALSE")
        self.lab.consume("--localhost", "--taskTimeout", "1", "--grace", "0")
        story = [line["status"] for line in self.lab.states()["a.1"].lines]
        self.assertEqual(story, ["pending", "claimed", "reset", "claimed", "failed"])

    def test_notice_during_upload_hands_back(self):
        self.fault(kind="upload.*", path="a.1%2Fout|a.1/out", action="stall", seconds=60)
        worker = self.start(command="echo hi > out")
        self.preempt_when(worker, "upload.multipart")
        self.assert_handed_back()
        self.assertNotIn("result.json", self.lab.stored("a.1"))

    def test_notice_during_last_commit_completes(self):
        self.fault(kind="datastore.commit", skip=1, action="stall", seconds=2)
        worker = self.start(command="echo hi > out")
        self.preempt_when(worker, "datastore.commit", 2)
        self.assert_once(["a.1"], worker)
        self.assertEqual(self.lab.stored("a.1")["out"], b"hi\n")

    def test_missing_preemption_key_is_tolerated(self):
        self.cloud.metadata.set("instance/preempted", None)
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.assertEqual(self.lab.consume().exit_code, 0)
        self.assert_once(["a.1"])

    def test_localhost_ignores_preemption(self):
        self.preempt()
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.assertEqual(self.asked("metadata.*"), 0)

    def test_signal_with_notice_keeps_grace(self):
        worker = self.start(command="trap 'sleep 1; echo tidied; exit' TERM; echo begun; "
                                    "while :; do sleep 0.1; done")
        self.begun()
        self.preempt()
        wait_until(lambda: NOTICE in worker.stderr, "the worker notices")
        worker.signal(signal.SIGTERM)
        self.end(worker)
        self.assert_handed_back()
        self.assertIn("tidied", self.lab.log("a.1"))


class Signals(NoticeTest):
    def terminate_again(self, worker):
        time.sleep(1.5)  # a signal within a second counts as the same request
        worker.signal(signal.SIGTERM)

    def test_second_signal_skips_grace(self):
        for command in (HEARS_TERM, in_a_child(HEARS_TERM)):
            with self.subTest(command):
                worker = self.start("--grace", "300", command=command)
                self.begun()
                worker.signal(signal.SIGTERM)
                self.begun("told")
                self.terminate_again(worker)
                self.assertLess(self.end(worker, 143), 8 * SLOWNESS)
                self.assertEqual(self.lab.states()["a.1"].status, "pending")

    def test_program_ignoring_term_is_killed(self):
        worker = self.start("--grace", "3", command=in_a_child(IGNORES_TERM))
        self.begun()
        asked = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.end(worker, 143)
        self.assertGreaterEqual(time.monotonic() - asked, 3)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")

    def test_third_signal_ends_worker_at_once(self):
        self.fault(kind="datastore.commit", skip=1, action="stall", seconds=60, count=0)
        worker = self.start("--grace", "300", command=IGNORES_TERM)
        self.begun()
        worker.signal(signal.SIGTERM)
        self.terminate_again(worker)
        wait_until(lambda: self.asked("datastore.commit") >= 2, "the hand-back starts")
        self.terminate_again(worker)
        self.end(worker, 143)
        self.assertNotIn("there is no more time", worker.stderr)
        self.assertEqual(self.lab.states()["a.1"].status, "claimed")

    def test_drain_finishes_only_current_task(self):
        for number in (signal.SIGUSR1, signal.SIGQUIT):
            with self.subTest(number):
                gate = self.lab.directory / f"gate-{number}"
                self.lab.write_tasks([
                    self.lab.task(f"a.{n}", f"while [ ! -e {gate} ]; do sleep 0.05; done")
                    for n in (1, 2)])
                port = free_port()
                worker = self.lab.start_consume("--localhost", "--shutdownAfter", "600",
                                                "--healthPort", port)
                wait_until(lambda: any(state.status == "claimed" and state.version == 2
                                       for state in self.lab.states().values()), "a claim exists")
                worker.signal(signal.SIGHUP)
                worker.signal(number)
                wait_until(lambda port=port: "stopping" in ask(port, "/readyz")[1], "worker stops")
                self.assertIsNone(worker.exit_code)
                gate.touch()
                self.assertEqual(worker.wait(20).exit_code, 0, worker.stderr)
                statuses = sorted(state.status for state in self.lab.states().values())
                self.assertEqual(statuses, ["complete", "pending"])

    def test_drain_ends_idle_worker_at_once(self):
        worker = self.lab.start_consume("--localhost", "--shutdownAfter", "600")
        wait_until(lambda: self.cloud.requests("datastore.runQuery"), "the worker looks for tasks")
        worker.signal(signal.SIGUSR1)
        self.assertEqual(worker.wait(10).exit_code, 0, worker.stderr)


if __name__ == "__main__":
    unittest.main()
