"""Tests of `summary --job` for a job of a cluster, on Datastore and Cloud Storage."""
import json
import signal
import time
import unittest

from cloud_lab import CloudLabTest, value
from harness import wait_until
from test_summary import machine, usage


class CloudSummaryTest(CloudLabTest):
    def summary(self, *flags, job="job", exit_code=0, **options):
        worker = self.lab.run("summary", "--projectId", self.lab.datastore.project, "--job", job,
                              *flags, **options)
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def objects(self, *flags, **options):
        return json.loads(self.summary("--format", "json", *flags, **options).stdout)

    def put_tasks(self, count, status="complete", job="job", with_results=True, **changes):
        """Ended tasks without a worker."""
        names = [f"{job}.{i}" for i in range(1, count + 1)]
        self.lab.datastore.put(*(self.lab.entity(name, {"command": "true"}, status=status,
                                                 exit_code="0", **changes) for name in names))
        if with_results:
            for name in names:
                self.put_result(name)
        return names

    def put_result(self, name, **keys):
        content = {"files": [], "machine_stats": machine(),
                   "resource_usage": usage(18, 20, 3 << 20), **keys}
        self.lab.put(f"{name}/result.json", json.dumps(content).encode())

    def put_job(self, job="job", status="submitted"):
        self.lab.datastore.put({"key": self.lab.datastore.key("Job", job),
                                "properties": {"status": value(status)}})


class Jobs(CloudSummaryTest):
    def test_tasks_of_job_are_shown(self):
        self.put_tasks(2, job="other")
        self.lab.write_tasks([
            self.lab.task("job.1", "true"), self.lab.task("job.2", "exit 3"),
            self.lab.task("job.10", "true", working_dir="nowhere")])
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        self.lab.datastore.put(self.lab.entity("job.11", {"command": "true"}))
        found = self.objects()
        self.assertEqual([(row["task_id"], row["status"], row["exit_code"])
                          for row in found["tasks"]],
                         [("job.1", "complete", 0), ("job.2", "complete", 3),
                          ("job.10", "failed", None), ("job.11", "pending", None)])
        self.assertEqual(found["statistics"]["wall_seconds"]["tasks"], 2)
        self.assertIn("nowhere", found["tasks"][2]["reason"])
        self.assertEqual(found["tasks"][1]["cause"], "exit code 3")
        table = self.summary().stdout
        self.assertIn("4 tasks: 1 pending, 2 complete, 1 failed", table)

    def test_many_tasks_are_paged(self):
        names = self.put_tasks(1003, with_results=False)
        for name in names[:700:7]:
            self.put_result(name)
        found = self.objects()
        self.assertEqual([row["task_id"] for row in found["tasks"]], names)
        self.assertEqual(found["statistics"]["wall_seconds"]["tasks"], 100)
        self.assertIn("half this machine would do", found["advice"]["text"])

    def test_url_is_found_in_specs(self):
        names = [f"job.{i}" for i in range(1, 251)]
        self.lab.datastore.put(*(self.lab.entity(
            name, {"command_result_url": self.lab.url(f"{name}/result.json")}, status="complete",
            exit_code="0", command_result_url=None) for name in names))
        for name in names:
            self.put_result(name)
        self.assertEqual(self.objects()["statistics"]["wall_seconds"]["tasks"], len(names))

    def test_missing_job_is_named(self):
        self.put_tasks(1)
        worker = self.summary(job="jab", exit_code=1)
        self.assertEqual(worker.stdout, "")
        for word in ("job jab: does not exist in project", self.lab.datastore.project, "--job"):
            self.assertIn(word, worker.stderr)

    def test_job_of_newer_client_is_named(self):
        self.lab.datastore.put({"key": self.lab.datastore.key("SparklesV6Task", "new.1"),
                                "properties": {"job_id": value("new")}})
        self.assertIn("SparklesV6Task", self.summary(job="new", exit_code=1).stderr)

    def test_job_without_tasks_is_empty(self):
        self.put_job()
        self.assertIn("\n0 tasks\n", self.summary().stdout)

    def test_killed_job_is_told(self):
        self.put_job(status="killed")
        self.put_tasks(1, status="killed")
        worker = self.summary()
        self.assertIn("a user has killed job job", worker.stderr)
        self.assertRegex(worker.stdout, r"job\.1 +killed +0 +- ")

    def test_project_of_environment_is_used(self):
        self.put_tasks(1)
        worker = self.lab.run("summary", "--job", "job", environment={
            "GOOGLE_CLOUD_PROJECT": self.lab.datastore.project})
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assertIn("1 task: 1 complete", worker.stdout)

    def test_summary_changes_nothing(self):
        self.put_tasks(1)
        before = self.lab.datastore.tasks()
        objects = self.lab.stored("")
        self.summary()
        self.assertEqual(self.lab.datastore.tasks(), before)
        self.assertEqual(self.lab.stored(""), objects)

    def test_odd_entities_are_shown(self):
        self.lab.datastore.put(
            self.lab.entity("job.1", {}, status="complete", exit_code=None,
                            command_result_url=None),
            self.lab.entity("job.2", {}, status=7, exit_code=3, failure_reason=["x"]),
            self.lab.entity("job.3", {}, status="failed", failure_reason="\x1b[31mred\nline",
                            command_result_url="no url"))
        worker = self.summary()
        self.assertEqual(worker.stderr, "")
        self.assertIn("\\x1b[31mred\\nline", worker.stdout)
        self.assertIn("3 tasks: ", worker.stdout)


class Faults(CloudSummaryTest):
    def test_missing_results_are_dashes(self):
        for name in self.put_tasks(3, with_results=False)[::2]:
            self.put_result(name)
        worker = self.summary()
        self.assertEqual(worker.stderr, "")
        self.assertRegex(worker.stdout, r"job\.2 +complete +0 +- +- +- +-")

    def test_transient_faults_are_retried(self):
        self.put_tasks(3)
        self.fault(kind="datastore.runQuery", action="status", code=503)
        self.fault(kind="datastore.lookup", action="cut")
        self.fault(kind="object.media", action="status", code=503, count=2)
        self.fault(kind="object.media", action="cut", response_bytes=10)
        found = self.objects()
        self.assertEqual(found["statistics"]["wall_seconds"]["tasks"], 3)

    def test_refused_results_keep_the_states(self):
        self.put_tasks(100)
        self.cloud.storage.denied.add("storage.objects.get")
        worker = self.summary(exit_code=1)
        for word in ("cannot read the results of ", "did not try ", "gs://lab/job.",
                     "roles/storage.object"):
            self.assertIn(word, worker.stderr)
        self.assertIn("100 tasks: 100 complete", worker.stdout)

    def test_refused_query_names_role(self):
        self.put_tasks(1)
        self.fault(kind="datastore.runQuery", action="status", code=403, count=0, body={
            "error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no access"}})
        worker = self.summary(exit_code=1)
        self.assertEqual(worker.stdout, "")
        for word in ("no access", "roles/datastore."):
            self.assertIn(word, worker.stderr)

    def test_missing_credentials_are_named(self):
        worker = self.summary(exit_code=1, environment={
            "DATASTORE_EMULATOR_HOST": "", "STORAGE_EMULATOR_HOST": "",
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.lab.directory / "none.json")})
        self.assertIn("none.json", worker.stderr)
        self.assertEqual(worker.stdout, "")

    def test_interrupt_ends_at_once(self):
        self.put_tasks(40)
        stall = self.fault(kind="object.media", action="stall", seconds=60, count=0)
        worker = self.lab.start("summary", "--projectId", self.lab.datastore.project, "--job",
                                "job")
        wait_until(lambda: stall.strikes > 0, "a result is requested")
        started = time.monotonic()
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait().exit_code, -signal.SIGINT)
        self.assertLess(time.monotonic() - started, 20)
        self.assertEqual(worker.stdout, "")


class FileWithCloudResults(CloudLabTest):
    def test_results_in_a_bucket_are_read(self):
        task = self.lab.task("a.1", "true")
        super(type(self.lab), self.lab).write_tasks([task])
        state = {"task_id": "a.1", "status": "complete", "exit_code": "0", "version": 2,
                 "timestamp": time.time()}
        self.lab.state_file.write_text('{"format":"sparkles-state-1"}\n' + json.dumps(state) + "\n")
        self.lab.put("a.1/result.json", json.dumps(
            {"files": [], "resource_usage": usage(18, 20, 3 << 20)}).encode())
        worker = self.lab.run("summary", "--tasksFile", self.lab.tasks_file)
        self.assertEqual((worker.exit_code, worker.stderr), (0, ""))
        self.assertRegex(worker.stdout, r"a\.1 +complete +0 +20\.00 s +0\.9 +3\.2 GB")


if __name__ == "__main__":
    unittest.main()
