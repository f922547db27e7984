"""Tests of a stop while the worker hangs: its task is handed back in time."""
import signal
import time
import unittest

from hang import FrozenMainThread, HungMount
from harness import SLOWNESS, wait_until
from test_cloud_preemption import HEARS_TERM, IGNORES_TERM, NOTICE, NoticeTest

STORY = ["pending", "claimed", "reset"]


class HungTest(NoticeTest):
    def freeze(self, worker):
        try:
            frozen = FrozenMainThread(worker.pid)
        except OSError as error:
            self.skipTest(f"threads cannot be traced here: {error}")
        self.addCleanup(frozen.close)

    def mount(self):
        try:
            mount = HungMount(self.lab.directory / "hung")
        except OSError as error:
            self.skipTest(f"no FUSE file system can be mounted here: {error}")
        self.addCleanup(mount.close)
        return mount

    def assert_reset(self, reason):
        state = self.lab.states()["a.1"]
        self.assertEqual((state.status, state.owner, state.version), ("pending", None, 3))
        self.assertEqual([line["status"] for line in state.lines], STORY)
        self.assertEqual(state.lines[-1]["failure_reason"], reason)

    def stop_frozen(self, *flags):
        """Returns the seconds that a worker with a stopped main thread takes to end."""
        worker = self.start(*flags, command="echo begun; exec sleep 600")
        self.begun()
        self.freeze(worker)
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        worker.wait(40)
        took = time.monotonic() - began
        self.assertEqual(worker.exit_code, 143, worker.stderr)
        self.assertIn("the stacks of its threads follow", worker.stderr)
        wait_until(lambda: not self.lab.processes(), "all processes have ended", 5)
        self.assert_reset("the worker was stopped by SIGTERM; the worker hung")
        return took


class HungStop(HungTest):
    def test_hung_main_thread_stops_in_time(self):
        self.assertLess(self.stop_frozen(), 20 * SLOWNESS)

    def test_preemption_with_hung_mount_hands_back(self):
        mount = self.mount()
        # A preempted VM ends after 30 s, so the worker must not use all the time of the flag.
        inputs = [self.lab.download(f"file://{mount.path}/in", "in")]
        worker = self.start("--stopWithin", "120", downloads=inputs)
        wait_until(lambda: mount.asked, "the worker hangs")
        self.preempt()
        wait_until(lambda: self.lab.states()["a.1"].status == "pending", "the task is reset", 20)
        self.assert_reset(f"{NOTICE}; the worker hung")
        mount.close()  # ends the wait in the kernel
        self.end(worker)


class StopWithin(HungTest):
    def test_frozen_worker_ends_in_time(self):
        self.assertLess(self.stop_frozen("--stopWithin", "5"), 5 * SLOWNESS)

    def test_preemption_shortens_stop(self):
        worker = self.start("--stopWithin", "120", "--grace", "300", command=HEARS_TERM)
        self.begun()
        worker.signal(signal.SIGTERM)
        self.begun("told")
        self.preempt()
        self.end(worker, 143)
        self.assert_reset("the worker was stopped by SIGTERM")

    def test_kill_comes_after_half_the_time(self):
        worker = self.start("--stopWithin", "6", "--grace", "300", command=IGNORES_TERM)
        self.begun()
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.end(worker, 143)
        took = time.monotonic() - began
        self.assertGreater(took, 3)
        self.assertLess(took, 6 * SLOWNESS)
        self.assert_reset("the worker was stopped by SIGTERM")


if __name__ == "__main__":
    unittest.main()
