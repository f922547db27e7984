"""Tests of the judge of chaos.py: it must find each error that is put into a correct record."""
import collections
import copy
import json
import pathlib
import signal
import tempfile
import unittest

import chaos_judge
from harness import crc32c

NAME = "job-1.7"
DIRECTORIES = {"zone/vm-1": "/lab/machine-1/tasks", "zone/vm-2": "/lab/machine-2/tasks"}
KNOWN = {"task_id", "status", "owner", "exit_code", "failure_reason", "version", "history"}
EXPECTED = {"sub/mark.txt": b"<mark>\n", "big.bin": b"aaa", "stdout.txt": b"begun\n<mark>\ndone\n"}
Stored = collections.namedtuple("Stored", "data generation")


def entry(timestamp, status, owner=None, **more):
    return {"timestamp": timestamp, "status": status, **({"owner": owner} if owner else {}), **more}


def mark_of(attempt, machine, task=NAME):
    return f"{task} attempt {attempt} in /lab/machine-{machine}/tasks/task-a1/work".encode()


class Story:
    """A task that the second machine completed after the first one had lost it."""

    def __init__(self):
        self.lines = [
            entry(1.0, "pending", failure_reason=None), entry(2.0, "claimed", "zone/vm-1"),
            entry(3.0, "reset", failure_reason="abandoned: dead"),
            entry(4.0, "claimed", "zone/vm-2"), entry(7.0, "complete")]
        self.task = {"task_id": NAME, "status": "complete", "owner": "zone/vm-2",
                     "exit_code": "0", "failure_reason": None, "version": 5,
                     "history": self.lines}
        self.mark = mark_of(2, 2)
        self.marks = {}  # path -> mark that differs from self.mark
        self.times = (5.0, 6.0)
        self.change_objects = lambda objects: None
        self.pasts = {owner: chaos_judge.Past() for owner in DIRECTORIES}
        self.pasts["zone/vm-1"].note(chaos_judge.ABANDONED, 2.5)
        self.resets = 0  # resets by the test
        self.end, self.killed_at = "complete", None

    def objects(self):
        objects = {path: Stored(content.replace(b"<mark>", self.marks.get(path, self.mark)), 10)
                   for path, content in EXPECTED.items()}
        files = [{"src": path, "size": len(stored.data), "crc32c": crc32c(stored.data),
                  "generation": stored.generation} for path, stored in objects.items()]
        result = {"return_code": "0", "files": files, "resource_usage": dict(
            zip(("start_time", "end_time"), self.times))}
        objects["result.json"] = Stored(json.dumps(result).encode(), 20)
        self.change_objects(objects)
        return objects

    def problems(self):
        return [*chaos_judge.problems_of_task(NAME, self.task, KNOWN, DIRECTORIES, self.end,
                                              self.killed_at),
                *chaos_judge.problems_of_resets(self.lines, self.pasts, self.resets),
                *chaos_judge.problems_of_objects(NAME, self.lines, self.objects(), EXPECTED,
                                                 DIRECTORIES)]


class JudgeTest(unittest.TestCase):
    def assert_rejected(self, problems, *words):
        text = "\n".join(problems)
        self.assertTrue(text, "no problem was found")
        for word in words:
            self.assertIn(word, text)


class WorkerExits(JudgeTest):
    def test_received_signal_explains_exit(self):
        for code, done in ((0, ()), (0, (signal.SIGUSR1,)), (0, (signal.SIGTERM,)),
                           (-9, (signal.SIGKILL,)),
                           (130, (signal.SIGINT,)), (143, (signal.SIGINT, signal.SIGTERM)),
                           (75, (chaos_judge.PREEMPTED,))):
            with self.subTest(code=code):
                self.assertEqual([*chaos_judge.problems_of_exit(code, set(done), "said")], [])

    def test_early_signal_may_kill_worker(self):
        done = {signal.SIGTERM}
        self.assertEqual([*chaos_judge.problems_of_exit(-signal.SIGTERM, done, "")], [])
        self.assert_rejected(chaos_judge.problems_of_exit(-signal.SIGTERM, done, "claimed"))
        self.assert_rejected(chaos_judge.problems_of_exit(-signal.SIGINT, done, ""))

    def test_crash_or_error_is_rejected(self):
        everything = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, chaos_judge.PREEMPTED}
        for code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, 1, 2, 3, 4, 5, 6, 99, 134,
                     137):
            with self.subTest(code=code):
                self.assert_rejected(chaos_judge.problems_of_exit(code, everything, ""),
                                      f"ended with {code} ")

    def test_other_signal_does_not_explain_exit(self):
        for code, done in ((-9, (signal.SIGTERM,)), (130, (signal.SIGTERM,)),
                           (143, (signal.SIGINT,)), (143, ()), (75, (signal.SIGTERM,))):
            with self.subTest(code=code):
                self.assert_rejected(chaos_judge.problems_of_exit(code, set(done), ""))

    def test_problem_names_last_stderr_lines(self):
        stderr = "".join(f"line {number}.\n" for number in range(1, 101))
        problems = [*chaos_judge.problems_of_exit(-11, set(), stderr)]
        self.assert_rejected(problems, "line 86.\n", "line 100.")
        self.assertNotIn("line 85.", problems[0])


class Histories(JudgeTest):
    def setUp(self):
        self.story = Story()

    def assert_broken(self, *words):
        self.story.task["version"] = len(self.story.lines)
        self.assert_rejected(self.story.problems(), *words)

    def test_correct_history_is_accepted(self):
        self.assertEqual(self.story.problems(), [])

    def test_withdrawn_claim_is_accepted(self):
        self.story.lines.insert(1, entry(1.5, "reset", failure_reason=chaos_judge.WITHDRAWN))
        self.story.task["version"] += 1
        self.assertEqual(self.story.problems(), [])

    def test_other_reset_of_pending_task_is_rejected(self):
        self.story.lines.insert(1, entry(1.5, "reset", failure_reason="abandoned: dead"))
        self.story.task["version"] += 1
        self.assertNotEqual(self.story.problems(), [])

    def test_second_claim_without_reset_is_rejected(self):
        del self.story.lines[2]
        self.assert_broken("step 3 is claimed after claimed")

    def test_end_without_claim_is_rejected(self):
        del self.story.lines[3]
        self.assert_broken("step 4 is complete after reset")

    def test_missing_first_pending_is_rejected(self):
        del self.story.lines[0]
        self.assert_broken("step 1 is claimed after None")

    def test_step_after_end_is_rejected(self):
        for end in chaos_judge.FINAL:
            for after in ("pending", "claimed", "reset", "complete"):
                with self.subTest(end=end, after=after):
                    self.story = Story()
                    self.story.lines[2:2] = [entry(2.5, end), entry(2.6, after)]
                    self.assert_broken(f"step 4 is {after} after {end}")

    def test_second_complete_is_rejected(self):
        self.story.lines.append(entry(8.0, "complete"))
        self.assert_broken("step 6 is complete after complete")

    def test_unknown_step_is_rejected(self):
        self.story.lines[2]["status"] = "lost"
        self.assert_broken("step 3 is lost after claimed", "step 4 is claimed after lost")

    def test_unknown_claim_owner_is_rejected(self):
        for owner in ("zone/vm-9", None):
            with self.subTest(owner=owner):
                self.story = Story()
                self.story.lines[1]["owner"] = owner
                self.assert_broken(f"step 2 is claimed by {owner}")

    def test_owner_of_reset_is_rejected(self):
        self.story.lines[2]["owner"] = "zone/vm-1"
        self.assert_broken("step 3 is reset by zone/vm-1")

    def test_malformed_entry_is_rejected(self):
        del self.story.lines[1]["timestamp"]
        self.story.lines[2]["attempt"] = 1
        self.assert_broken("step 2 has no time", "step 3 is {")

    def test_wrong_version_is_rejected(self):
        for version in (4, 6):
            self.story.task["version"] = version
            self.assert_rejected(self.story.problems(), f"version {version} after")

    def test_failed_task_is_rejected(self):
        self.story.task["status"] = self.story.lines[-1]["status"] = "failed"
        self.story.task["failure_reason"] = "no luck"
        self.assert_broken("failed (no luck)")

    def test_status_unlike_history_is_rejected(self):
        self.story.task["status"] = "claimed"
        self.assert_broken("claimed (None)")

    def test_wrong_final_property_is_rejected(self):
        for name, value in (("exit_code", "1"), ("failure_reason", "why"), ("task_id", "job-1.8"),
                            ("owner", "zone/vm-1"), ("more", 1)):
            with self.subTest(name=name):
                self.story = Story()
                self.story.task[name] = value
                self.assert_broken(name)

    def test_changed_history_is_rejected(self):
        witness, lines = chaos_judge.Witness(), self.story.lines

        def problems(seen, version):
            return [*witness.problems(NAME, copy.deepcopy(seen), version, DIRECTORIES)]

        self.assertEqual(problems(lines[:2], 2) + problems(lines[:2], 2) + problems(lines, 5), [])
        self.assert_rejected(problems(lines[:4], 4), "became")
        self.assert_rejected(problems([*lines[:4], entry(8.0, "reset")], 6), "version 6 after")


class FailedAndKilledTasks(JudgeTest):
    def setUp(self):
        self.story = Story()

    def end_as(self, status, top=None, reason="why"):
        self.story.lines[-1] = entry(7.0, status, failure_reason=reason)
        self.story.task.update(status=status, exit_code=None, failure_reason=top)

    def problems(self):
        return [*chaos_judge.problems_of_task(NAME, self.story.task, KNOWN, DIRECTORIES,
                                              self.story.end, self.story.killed_at)]

    def test_missing_or_wrong_failure_is_rejected(self):
        self.story.end = "failed"
        self.assert_rejected(self.problems(), "complete (None)")
        self.end_as("failed", "why")
        self.assertEqual(self.problems(), [])
        for changes in ({"failure_reason": None}, {"failure_reason": "other"}, {"exit_code": "0"}):
            with self.subTest(changes=changes):
                self.end_as("failed", "why")
                self.story.task.update(changes)
                self.assert_rejected(self.problems(), "failed, but")

    def test_kill_without_job_kill_is_rejected(self):
        self.end_as("killed")
        self.assert_rejected(self.problems(), "killed (None)")
        self.story.killed_at = 5.0
        self.assertEqual(self.problems(), [])
        self.story.task["failure_reason"] = "why"
        self.assert_rejected(self.problems(), "killed, but")

    def test_claim_long_after_job_kill_is_rejected(self):
        self.story.killed_at = 3.9 - chaos_judge.LATE_CLAIM
        self.assert_rejected(self.problems(), "claimed at 4.0")
        self.story.killed_at = 4.1 - chaos_judge.LATE_CLAIM
        self.assertEqual(self.problems(), [])

    def test_unreported_failure_is_rejected(self):
        def problems(word="input", said="no input", log=b"no input"):
            objects = {"result.json": Stored(json.dumps({"failure_reason": said}).encode(), 1),
                       "stdout.txt": Stored(log, 1)}
            return [*chaos_judge.problems_of_failure({"failure_reason": "no input"}, objects, word)]

        self.assertEqual(problems(), [])
        self.assert_rejected(problems(said="else"), "result.json says")
        self.assert_rejected(problems(log=b"else"), "had to fail for input")
        self.assert_rejected(problems(word="disk"), "had to fail for disk")


class Resets(JudgeTest):
    def setUp(self):
        self.story = Story()

    def assert_reason(self, reason, cause, when=2.5):
        """Accepts `reason` with its cause, and condemns it with no, another or a later cause."""
        self.story.lines[2]["failure_reason"] = reason
        for what, then in ((None, when), ("something else", when), (cause, 3.1), (cause, -9.0)):
            self.story.pasts["zone/vm-1"] = chaos_judge.Past()
            self.story.pasts["zone/vm-1"].note(what, then)
            self.story.pasts["zone/vm-2"].note(cause, when)
            self.assert_rejected(self.story.problems(), "which was not so")
        self.story.pasts["zone/vm-1"].note(cause, when)
        self.assertEqual(self.story.problems(), [])

    def test_reset_reason_needs_its_cause(self):
        self.assert_reason("abandoned: its worker ended", chaos_judge.ABANDONED)
        self.assert_reason("the worker was stopped by SIGTERM", signal.SIGTERM)
        self.assert_reason("the worker was stopped by SIGINT", signal.SIGINT)
        self.assert_reason("the VM is being preempted", chaos_judge.PREEMPTED)

    def test_machine_fault_reset_is_rejected(self):
        self.story.lines[2]["failure_reason"] = "machine fault: no luck"
        self.assert_rejected(self.story.problems(), "machine fault: no luck")

    def test_unexplained_reset_is_rejected(self):
        for reason in (None, ""):
            self.story.lines[2]["failure_reason"] = reason
            self.story.resets = 0
            self.assert_rejected(self.story.problems(), "1 resets without a reason")
            self.story.resets = 1
            self.assertEqual(self.story.problems(), [])


class StopTimeAndDisks(JudgeTest):
    def test_slow_stop_is_rejected(self):
        self.assertEqual([*chaos_judge.problems_of_stop(chaos_judge.STOP_LIMIT)], [])
        self.assert_rejected(chaos_judge.problems_of_stop(chaos_judge.STOP_LIMIT + 1), "told to")

    def test_leftover_file_is_rejected(self):
        with tempfile.TemporaryDirectory() as top:
            directory = pathlib.Path(top)
            for name in ("tasks", "cache"):
                (directory / name).mkdir()

            def problems():
                return [*chaos_judge.problems_of_disk(directory / "tasks", directory / "cache")]

            entry_name = "a1" * 32
            for name in (entry_name, entry_name + ".ok", "uses.lock", "b" * 64 + ".lock"):
                (directory / "cache" / name).touch()
            self.assertEqual(problems(), [])
            for name in ("tasks/task-123456789", "tasks/claims-123456789.journal",
                         f"cache/{entry_name}.lock", "cache/.sparkles-1.tmp"):
                (directory / name).touch()
                self.assert_rejected(problems(), name)
                (directory / name).unlink()


class DeliveredObjects(JudgeTest):
    def setUp(self):
        self.story = Story()

    def replace(self, path, data=None, generation=10):
        def change(objects):
            objects[path] = Stored(objects[path].data if data is None else data, generation)
        self.story.change_objects = change

    def test_output_of_other_attempt_is_rejected(self):
        self.story.mark = mark_of(1, 2)
        self.assert_rejected(self.story.problems(), "complete in attempt 2", "attempt 1")
        self.story.mark = mark_of(3, 2)
        self.assert_rejected(self.story.problems(), "complete in attempt 2", "attempt 3")

    def test_output_of_other_machine_is_rejected(self):
        for machine in (1, 22):
            self.story.mark = mark_of(2, machine)
            self.assert_rejected(self.story.problems(), "completed by zone/vm-2",
                                  f"machine-{machine}/")

    def test_output_of_other_task_is_rejected(self):
        self.story.mark = mark_of(2, 2, "job-1.8")
        self.assert_rejected(self.story.problems(), "complete in attempt 2", "job-1.8")

    def test_mixed_outputs_are_rejected(self):
        for path in ("stdout.txt", "sub/mark.txt"):
            with self.subTest(path=path):
                self.story.marks = {path: mark_of(1, 1)}
                self.assert_rejected(self.story.problems(), "stdout.txt has a wrong content")

    def test_unreadable_mark_is_rejected(self):
        self.story.mark = b"\xff"
        self.assert_rejected(self.story.problems(), "sub/mark.txt has ")

    def test_result_of_other_attempt_is_rejected(self):
        for times in ((2.5, 2.9), (3.9, 6.0), (5.0, 7.1)):
            with self.subTest(times=times):
                self.story.times = times
                self.assert_rejected(self.story.problems(), "result.json is of a command that ran")

    def test_object_unlike_result_is_rejected(self):
        for data, generation, words in ((None, 11, "replaced"), (None, 9, "replaced"),
                                        (b"aab", 10, "not what result.json says"),
                                        (b"aaaa", 10, "not what result.json says")):
            with self.subTest(words=words):
                self.replace("big.bin", data, generation)
                self.assert_rejected(self.story.problems(), words)
        self.replace("result.json", generation=5)
        self.assert_rejected(self.story.problems(), "younger than result.json")

    def test_missing_or_extra_object_is_rejected(self):
        self.story.change_objects = lambda objects: objects.pop("big.bin")
        self.assert_rejected(self.story.problems(), "big.bin is not there", "in the store are")
        self.story.change_objects = lambda objects: objects.update(more=Stored(b"", 10))
        self.assert_rejected(self.story.problems(), "in the store are")
        self.story.change_objects = lambda objects: objects.pop("result.json")
        self.assert_rejected(self.story.problems(), "no result.json")


if __name__ == "__main__":
    unittest.main()
