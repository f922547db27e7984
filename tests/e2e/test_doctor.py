"""Tests of `doctor`: seeds one misconfiguration after the other, and checks the diagnosis."""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import unittest

from cloud_lab import BUCKET
from doctor_lab import CloudDoctorTest, DoctorMixin
from gcloud.ports import free_port
from harness import BINARY, LabTest, wait_until
from monitor_lab import SECRET, blob, make_keys
from test_faults import private_mounts


def put_keys(lab, certificate_file, key_file):
    """Writes the entity with the keys of the Monitor, as `sparkles` does."""
    lab.datastore.put({
        "key": lab.datastore.key("ClusterKeys", "sparklespray"),
        "properties": {"cert": blob(certificate_file.read_bytes()),
                       "private_key": blob(key_file.read_bytes()),
                       "shared_secret": {"stringValue": SECRET}}})


def make_expired_keys(directory):
    """A certificate that was valid in 2020. `openssl req` makes none that ends before now."""
    (directory / "index.txt").touch()
    (directory / "serial").write_text("01", encoding="ascii")
    (directory / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n", encoding="ascii")
    for command in ("req -new -newkey rsa:2048 -nodes -subj /CN=sparkles.server -keyout old-key.pem"
                    " -out old.csr",
                    "ca -batch -selfsign -notext -config ca.conf -keyfile old-key.pem -in old.csr"
                    " -startdate 20200101000000Z -enddate 20210101000000Z -out old.pem"):
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True,
                       capture_output=True)
    return directory / "old.pem", directory / "old-key.pem"


def limit_processes(number):
    resource.setrlimit(resource.RLIMIT_NPROC, (number, number))


class GoodSetup(CloudDoctorTest):
    def test_good_cluster_has_no_failure(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        put_keys(self.lab, *make_keys(self.lab.directory, days=30))
        before = self.lab.datastore.tasks()
        output = self.doctor("--port", free_port(), "--healthPort", free_port(), "--bucket", BUCKET,
                             "--bucket", f"gs://{BUCKET}/some/prefix", "--write", exit_code=0)
        self.assertNotIn("FAIL ", output)
        for line in ("metadata server: this VM is projects/123456/zones/us-east1-b/worker-1",
                     "preemption: the VM is preemptible", "Datastore query: .*has pending tasks",
                     "Datastore commit: the account may change tasks", "Monitor keys: certificate",
                     "--port [0-9]+: the port is free", "--healthPort [0-9]+: the port is free",
                     f"write to gs://{BUCKET}/: an object was written, read back",
                     f"write to gs://{BUCKET}/some/prefix/: an object was written"):
            self.assertRegex(output, f"(?m)^OK +.*({line})")
        self.assertEqual(self.lab.stored(""), {})
        self.assertEqual(self.lab.datastore.tasks(), before)
        self.assertFalse(self.lab.tasks_dir.exists() or self.lab.cache_dir.exists())
        self.assertNotIn(SECRET, output)
        self.assertNotIn("PRIVATE", output)

    def test_json_has_each_finding(self):
        self.lab.storage.denied.add("storage.objects.get")
        report = json.loads(self.doctor("--bucket", BUCKET, "--json"))
        self.assertEqual(report["failures"], 1)
        counts = [report[key] for key in ("ok", "warnings", "failures", "not_checked")]
        self.assertEqual(sum(counts), len(report["findings"]))
        [failure] = [each for each in report["findings"] if each["level"] == "FAIL"]
        self.assertEqual((failure["check"], failure["thing"]), ("bucket", f"gs://{BUCKET}/"))
        self.assertIn("storage.objects.get", failure["finding"])
        self.assertIn("roles/storage.objectUser", failure["remedy"])

    def test_stop_removes_files_and_ends(self):
        self.fault(kind="datastore.runQuery", action="stall", seconds=30, count=0)
        worker = self.lab.start("doctor", *self.lab.consume_arguments()[1:])
        wait_until(lambda: self.cloud.requests("datastore.runQuery"), "the query is sent")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(5).exit_code, 143, worker.stdout)
        self.assertEqual(list(self.lab.directory.rglob(".sparkles-*")), [])

    def test_silent_datastore_is_found_in_time(self):
        self.fault(kind="datastore.runQuery", action="stall", seconds=30, count=0)
        output = self.doctor(seconds=12)
        self.assert_finding(output, "FAIL", "Datastore query", "no (answer|complete response)",
                            "try again")


class DatastoreFaults(CloudDoctorTest):
    def test_wrong_project_is_named(self):
        project = self.lab.datastore.project
        self.refuse("datastore.runQuery", 403, "PERMISSION_DENIED",
                    f"Permission denied on resource project {project}.")
        output = self.doctor()
        self.assert_only_failure(output, "Datastore query", f"denied on resource project {project}",
                                 rf"correct --projectId \(now {project}\)")
        self.assertRegex(output, "(?m)^SKIP +Datastore commit: not checked: the query fails")

    def test_missing_database_is_named(self):
        self.refuse("datastore.runQuery", 404, "NOT_FOUND",
                    "The database (default) does not exist for project p")
        self.assert_only_failure(self.doctor(), "Datastore query", "does not exist for project",
                                 "databases create --type=datastore-mode")

    def test_native_mode_is_named(self):
        self.refuse("datastore.*", 400, "FAILED_PRECONDITION",
                    "The Cloud Datastore API is not available for Firestore in Native Mode "
                    "database projects/p/databases/(default).")
        self.assert_only_failure(self.doctor(), "Datastore query", "is Firestore in native mode",
                                 "a project whose default database is in Datastore mode")

    def test_missing_role_for_query_is_named(self):
        self.refuse("datastore.runQuery", 403, "PERMISSION_DENIED",
                    "Missing or insufficient permissions.")
        self.assert_only_failure(self.doctor(), "Datastore query", "insufficient permissions",
                                 "--role=roles/datastore.user")

    def test_missing_role_for_commit_is_named(self):
        self.refuse("datastore.commit", 403, "PERMISSION_DENIED",
                    "Missing or insufficient permissions.")
        self.assert_only_failure(self.doctor(), "Datastore commit", "insufficient permissions",
                                 "--role=roles/datastore.user")

    def test_disabled_api_is_named(self):
        self.refuse("datastore.runQuery", 403, "PERMISSION_DENIED", "Cloud Datastore API has not "
                    "been used in project 1 before or it is disabled.",
                    details=[{"reason": "SERVICE_DISABLED",
                              "metadata": {"service": "datastore.googleapis.com"}}])
        self.assert_only_failure(self.doctor(), "Datastore query", "it is disabled",
                                 "gcloud services enable datastore.googleapis.com")


class MonitorFaults(CloudDoctorTest):
    def test_missing_keys_are_named(self):
        self.assert_only_failure(self.doctor("--port", free_port()), "Monitor keys",
                                 "no entity ClusterKeys/sparklespray", "submit a job with sparkles")

    def test_expired_certificate_is_named(self):
        put_keys(self.lab, *make_expired_keys(self.lab.directory))
        output = self.doctor("--port", free_port())
        self.assert_only_failure(output, "Monitor keys", "has expired on 2021-01-01",
                                 "makes new keys")

    def test_key_of_another_certificate_is_named(self):
        other = self.lab.directory / "other"
        other.mkdir()
        put_keys(self.lab, make_keys(self.lab.directory)[0], make_keys(other)[1])
        self.assert_only_failure(self.doctor("--port", free_port()), "Monitor keys",
                                 "key does not belong to the certificate", "makes new keys")

    def test_port_in_use_is_named(self):
        put_keys(self.lab, *make_keys(self.lab.directory))
        with socket.create_server(("", 0)) as other:
            port = other.getsockname()[1]
            self.assert_only_failure(self.doctor("--port", port), f"--port {port}",
                                     "in use", "set another --port")


class BucketFaults(CloudDoctorTest):
    def test_missing_bucket_is_named(self):
        self.assert_only_failure(self.doctor("--bucket", "no-such"), "gs://no-such/",
                                 "bucket does not exist", "buckets create gs://no-such")

    def test_read_only_bucket_is_named(self):
        self.lab.storage.denied |= {"storage.objects.create", "storage.objects.delete"}
        output = self.doctor("--bucket", BUCKET, "--write")
        self.assert_only_failure(output, f"gs://{BUCKET}/", "it can only read",
                                 "roles/storage.objectUser")
        self.assertRegex(output, "(?m)^SKIP +write to .*may not remove the test object")
        self.assertEqual(self.cloud.requests("upload.*"), [])

    def test_refused_write_is_named(self):
        self.refuse("upload.*", 403, "PERMISSION_DENIED", "Permission denied for this prefix.")
        output = self.doctor("--bucket", BUCKET, "--write")
        self.assert_only_failure(output, f"write to gs://{BUCKET}/", "denied for this prefix",
                                 "roles/storage.objectUser")

    def test_remaining_test_object_is_named(self):
        self.refuse("object.delete", 403, "PERMISSION_DENIED", "Permission denied by a condition.")
        output = self.doctor("--bucket", BUCKET, "--write")
        [name] = self.lab.stored("")
        self.assert_only_failure(output, f"write to gs://{BUCKET}/", "was not removed",
                                 f"gcloud storage rm gs://{BUCKET}/{name}")


class VmFaults(CloudDoctorTest):
    def test_silent_metadata_server_is_named(self):
        with socket.socket() as refusing:  # bound, and not listening
            refusing.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{refusing.getsockname()[1]}"
            output = self.doctor(environment={"GCE_METADATA_HOST": host})
        self.assert_only_failure(output, "metadata server", "cannot find|connect|127.0.0.1",
                                 f"make http://{host} reachable")

    def test_machine_outside_google_is_named(self):
        output = self.doctor(environment={"NO_GCE_CHECK": "true", "GCE_METADATA_HOST": ""})
        self.assert_only_failure(output, "metadata server", "switched off", "use --localhost")

    def test_preempted_vm_is_named(self):
        self.cloud.metadata.set("instance/preempted", "TRUE")
        self.assert_only_failure(self.doctor(), "preemption", "taking this VM back",
                                 "start another VM")

    def test_stopped_emulator_is_named(self):
        output = self.doctor(environment={"DATASTORE_EMULATOR_HOST": f"127.0.0.1:{free_port()}"})
        self.assert_only_failure(output, "127.0.0.1:[0-9]+", "connect", "start the emulator")
        self.assertRegex(output, "(?m)^SKIP +Datastore: not checked: 127.*cannot be reached")


class MachineFaults(DoctorMixin, LabTest):
    """Local runs, without any cloud."""

    def setUp(self):
        super().setUp()
        self.lab.write_tasks([self.lab.task("a.1", "true")])

    def mount(self, path, options):
        if os.geteuid() != 0 or not private_mounts():
            self.skipTest("needs the right to mount a file system")
        path.mkdir()
        if os.system(f"mount -t tmpfs -o {options} none {path}") != 0:
            self.skipTest("cannot mount a file system")
        self.addCleanup(os.system, f"umount -l {path}")

    def test_good_local_run_has_no_failure(self):
        output = self.doctor(exit_code=0)
        self.assertNotIn("FAIL ", output)
        self.assertRegex(output, "(?m)^OK +.*tasks.json: has 1 valid tasks")
        for cloud in ("credentials", "Datastore", "googleapis", "metadata"):
            self.assertNotIn(cloud, output)

    def test_existing_directories_stay_as_they_are(self):
        self.lab.tasks_dir.mkdir()
        self.lab.cache_dir.mkdir()
        self.doctor(exit_code=0)
        self.assertEqual([*self.lab.tasks_dir.iterdir(), *self.lab.cache_dir.iterdir()], [])

    def test_noexec_is_named(self):
        self.mount(self.lab.tasks_dir, "size=200m,noexec")
        self.assert_only_failure(self.doctor(), "--tasksDir exec", "mounted noexec",
                                 "remount,exec")

    def test_lack_of_space_is_named(self):
        self.mount(self.lab.tasks_dir, "size=4m")
        self.assert_only_failure(self.doctor("--minFreeSpace", "10M"), "--tasksDir space",
                                 "4 MiB are free, and --minFreeSpace is 10 MiB",
                                 "use a larger disk")

    def test_lack_of_inodes_is_named(self):
        self.mount(self.lab.cache_dir, "size=200m,nr_inodes=50")
        self.assert_only_failure(self.doctor(), "--cacheDir space",
                                 "only 4. more files can be created", "use a larger disk")

    def test_read_only_disk_is_named(self):
        self.mount(self.lab.tasks_dir, "size=200m,ro")
        output = self.doctor()
        self.assert_finding(output, "FAIL", "--tasksDir space", "read-only", "for writing")

    def test_file_as_directory_is_named(self):
        self.lab.cache_dir.touch()
        self.assert_only_failure(self.doctor(), "--cacheDir", "not a directory", "remove the file")

    def test_few_open_files_are_named(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
        self.assert_only_failure(self.doctor(preexec_fn=limit), "open files", "the limit is 48",
                                 "ulimit -n")

    def test_each_problem_of_tasks_is_named(self):
        self.lab.tasks_file.write_text(
            json.dumps(self.lab.task("a.1", "true")) + "\n"
            '{"task_id": "a.2", "args": {"command": "", "working_dir": "/x", "stdout_url": 5}}\n'
            '{"task_id": "a.1", "args": {"command": "true"}}\n'
            "nonsense\n", encoding="utf-8")
        output = self.doctor()
        for problem in (r'line 2 \(task_id "a.2"\): command: is missing',
                        r'line 2 \(task_id "a.2"\): working_dir: must be relative',
                        r'line 2 \(task_id "a.2"\): stdout_url: must be a string',
                        r'line 3 \(task_id "a.1"\): task_id: is already used by line 1',
                        "line 4: is not valid JSON"):
            self.assert_finding(output, "FAIL", ".*tasks.json", problem, "docs/tasks-file.md")
        self.assertEqual(output.count("FAIL "), 5, output)

    def test_few_processes_are_named(self):
        if os.geteuid() != 0:
            self.skipTest("needs the right to become another user")
        program = self.lab.directory / "program"
        shutil.copy(BINARY, program)
        self.lab.directory.chmod(0o777)
        user = {"user": 60000 + os.getpid() % 5000, "program": program}
        output = self.doctor(**user, preexec_fn=lambda: limit_processes(40))
        self.assert_finding(output, "FAIL", "processes", "of at most 40", "raise `ulimit -u`")
        output = self.doctor(**user, preexec_fn=lambda: limit_processes(2))
        self.assert_finding(output, "FAIL", "threads", "cannot start a thread", "ulimit -u")
        self.assertRegex(output, "(?m)^SKIP +kernel: not checked: there is no thread")

    def test_other_version_is_named(self):
        self.assert_only_failure(self.doctor("--expectedVersion", "9.9.9"), "version",
                                 "--expectedVersion is 9.9.9", "sparklesworker_image")

    def test_wrong_bucket_is_usage_error(self):
        worker = self.lab.run("doctor", *self.lab.consume_arguments()[1:], "--bucket", "a b")
        self.assertEqual(worker.exit_code, 2)
        self.assertIn("--bucket", worker.stderr)


if __name__ == "__main__":
    unittest.main()
