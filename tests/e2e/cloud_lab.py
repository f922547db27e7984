"""A lab in the cloud: our own Google Cloud server (tests/gcloud) and the real Datastore emulator.

The worker's requests to Datastore go through our server, which counts and disturbs them. The lab
itself uses the emulator directly.
"""
import atexit
import functools
import http.client
import json
import os
import secrets
import subprocess
import tempfile
import time

from gcloud import emulator
from gcloud.server import Server
from harness import Lab, LabTest, remove_tree, wait_until

BUCKET = "lab"
CLUSTER = "cluster-1"
LONGEST_INDEXED = 1500  # bytes: longer specs are objects, and `args` is their URL
# Variables of the test machine that must not reach a worker under test.
HIDDEN = ("GOOGLE_", "GCLOUD_", "CLOUDSDK_", "GCE_", "DATASTORE_", "STORAGE_", "BATCH_", "HTTP_",
          "HTTPS_", "NO_PROXY", "ALL_PROXY", "SSL_CERT", "CURL_CA")


@functools.cache
def emulator_address():
    """host:port of the emulator of run_tests.py, or of an emulator for this process alone."""
    address = os.environ.get("SPARKLES_TEST_DATASTORE")
    if not address:
        directory = tempfile.mkdtemp(prefix="emulator-")
        started = emulator.Emulator(directory)
        atexit.register(remove_tree, directory)
        atexit.register(started.stop)
        return started.address
    emulator.wait_for(address)
    return address


class Datastore:
    """Acts as the client of Datastore, in one project of the emulator."""

    def __init__(self, address, project):
        self.address = address
        self.project = project

    def call(self, method, body):
        link = http.client.HTTPConnection(self.address, timeout=30)
        try:
            link.request("POST", f"/v1/projects/{self.project}:{method}", json.dumps(body),
                         {"Content-Type": "application/json"})
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        assert answer.status == 200, text
        return json.loads(text)

    def key(self, kind, name):
        return {"partitionId": {"projectId": self.project}, "path": [{"kind": kind, "name": name}]}

    def put(self, *entities):
        """Writes entities without preconditions, as the client does."""
        for start in range(0, len(entities), 100):
            self.call("commit", {"mode": "NON_TRANSACTIONAL", "mutations": [
                {"upsert": entity} for entity in entities[start:start + 100]]})

    def delete(self, kind, name):
        self.call("commit", {"mode": "NON_TRANSACTIONAL",
                             "mutations": [{"delete": self.key(kind, name)}]})

    def get(self, kind, name):
        found = self.call("lookup", {"keys": [self.key(kind, name)]}).get("found")
        return found[0]["entity"] if found else None

    def tasks(self):
        """All task entities, by the name of their key."""
        query = {"query": {"kind": [{"name": "SparklesV5Task"}]}}
        entities = {}
        while True:
            batch = self.call("runQuery", query)["batch"]
            for each in batch.get("entityResults", []):
                entities[each["entity"]["key"]["path"][0]["name"]] = each["entity"]
            if batch["moreResults"] != "NOT_FINISHED":
                return entities
            query["query"]["startCursor"] = batch["endCursor"]


def value(thing):
    """The Datastore value for a Python value."""
    if thing is None:
        return {"nullValue": None}
    if isinstance(thing, bool):
        return {"booleanValue": thing}
    if isinstance(thing, int):
        return {"integerValue": str(thing)}
    if isinstance(thing, float):
        return {"doubleValue": thing}
    if isinstance(thing, str):
        return {"stringValue": thing}
    if isinstance(thing, list):
        return {"arrayValue": {"values": [value(each) for each in thing]}}
    return {"entityValue": {"properties": {key: value(each) for key, each in thing.items()}}}


def plain(thing):
    """The Python value of a Datastore value."""
    if "nullValue" in thing:
        return None
    if "integerValue" in thing:
        return int(thing["integerValue"])
    if "arrayValue" in thing:
        return [plain(each) for each in thing["arrayValue"].get("values", [])]
    if "entityValue" in thing:
        return properties_of(thing["entityValue"])
    return next(each for key, each in thing.items() if key.endswith("Value"))


def properties_of(entity):
    return {key: plain(each) for key, each in entity.get("properties", {}).items()}


class CloudTaskState:
    """A task's entity, with the attribute names of harness.TaskState."""

    def __init__(self, entity):
        self.entity = entity
        self.properties = properties_of(entity)
        self.lines = self.properties["history"]

    def __getattr__(self, name):
        try:
            return self.__dict__["properties"].get(name)
        except KeyError:
            raise AttributeError(name) from None

    def count(self, status):
        return sum(line["status"] == status for line in self.lines)


class CloudLab(Lab):
    """`real_hosts`: the worker uses no emulator, and our server acts as googleapis.com."""

    def __init__(self, directory=None, datastore=None, real_hosts=False):
        super().__init__(directory)
        self.real_hosts = real_hosts
        self.emulator_address = datastore or emulator_address()
        self.datastore = Datastore(self.emulator_address, f"lab-{secrets.token_hex(6)}")
        self.certificate = make_certificate(self.directory) if real_hosts else None
        self.cloud = Server(emulator=self.emulator_address, certificate=self.certificate)
        self.cloud.metadata.set("project/project-id", self.datastore.project)
        self.cluster = CLUSTER
        self.storage = self.cloud.storage
        self.storage.make_bucket(BUCKET)

    # --- parts of a task

    def url(self, path):
        return f"gs://{BUCKET}/{path}"

    def put(self, path, content, **metadata):
        self.storage.put(BUCKET, path, content, **metadata)
        return self.url(path)

    def entity(self, name, args, /, **changes):
        """A pending task as the client writes it. `changes` replace properties; `...` removes."""
        if not isinstance(args, str):
            args = json.dumps(args)
        if len(args) > LONGEST_INDEXED:
            args = self.put(f"specs/{name}.json", args.encode())
        job, _, index = name.rpartition(".")
        properties = {
            "task_index": int(index), "job_id": job, "cluster": self.cluster, "args": args,
            "command_result_url": self.url(f"{name}/result.json"),
            "log_url": self.url(f"{name}/stdout.txt"), "status": "pending", "owner": None,
            "monitor_address": None, "failure_reason": None, "exit_code": None, "version": 1,
            "history": [{"timestamp": time.time(), "status": "pending", "owner": None,
                         "failure_reason": None}],
            **changes}
        return {"key": self.datastore.key("SparklesV5Task", name),
                "properties": {key: value(each) for key, each in properties.items()
                               if each is not ...}}

    def write_tasks(self, tasks):
        """Submits `tasks` as the client does."""
        self.datastore.put(*(task if "key" in task else self.entity(task["task_id"], task["args"])
                             for task in tasks))

    def reset_task(self, name, of=None):
        """Resets tasks as the client does: writes the entities it last read as pending. `of`: only
        tasks that this owner has claimed."""
        entity = self.datastore.get("SparklesV5Task", name)
        properties = entity["properties"]
        if of and (plain(properties["status"]), plain(properties["owner"])) != ("claimed", of):
            return
        properties.update(status=value("pending"), owner=value(None),
                          version=value(plain(properties["version"]) + 1))
        properties["history"]["arrayValue"]["values"].append(
            value({"timestamp": time.time(), "status": "reset"}))
        self.datastore.put(entity)

    def kill_job(self, job):
        self.datastore.put({"key": self.datastore.key("Job", job),
                            "properties": {"status": value("killed")}})

    # --- running

    def environment(self):
        clean = {name: "" for name in os.environ if name.upper().startswith(HIDDEN)}
        if self.real_hosts:
            clean.update(HTTPS_PROXY=f"http://{self.cloud.address}",
                         SSL_CERT_FILE=self.certificate[0])
        else:
            clean.update(DATASTORE_EMULATOR_HOST=self.cloud.address,
                         STORAGE_EMULATOR_HOST=f"http://{self.cloud.address}")
        return {**clean, "HOME": str(self.directory), "GCE_METADATA_HOST": self.cloud.address}

    def start(self, *arguments, environment=None, **options):
        return super().start(*arguments, environment={**self.environment(), **(environment or {})},
                             **options)

    def consume_arguments(self, *flags):
        return ("consume", "--projectId", self.datastore.project, "--cluster", self.cluster,
                "--tasksDir", self.tasks_dir, "--cacheDir", self.cache_dir, "--durable=false",
                *(() if "--permissionPatience" in flags else ("--permissionPatience", "1")),
                *flags)

    # --- results

    def states(self):
        return {name: CloudTaskState(entity) for name, entity in self.datastore.tasks().items()}

    def read(self, url):
        bucket, _, name = url.removeprefix("gs://").partition("/")
        data = self.storage.data(bucket, name)
        assert data is not None, f"{url} does not exist"
        return data

    def result(self, name):
        return json.loads(self.read(self.url(f"{name}/result.json")))

    def log(self, name):
        return self.read(self.url(f"{name}/stdout.txt")).decode("utf-8", "replace")

    def stored(self, name):
        prefix = f"{name}/" if name else ""
        return {path.removeprefix(prefix): bytes(found.data)
                for path, found in self.storage.objects(BUCKET, prefix).items()}

    def leftovers(self):
        """Files left by a worker: all in its tasks directory, unfinished ones in the cache."""
        cached = [path for path in self.cache_dir.rglob("*") if path.is_file()]
        return ([path for path in self.tasks_dir.rglob("*") if "task-" in str(path)]
                + [path for path in cached if not path.name.split(".")[0].isalnum()])

    def close(self):
        self.cloud.close()
        super().close()


class CloudLabTest(LabTest):
    """A test with its own cloud lab and Datastore project."""

    real_hosts = False

    def setUp(self):
        if "SPARKLES_TEST_DATASTORE" not in os.environ and emulator.why_not():
            self.skipTest(emulator.why_not())
        self.lab = self.make_lab()
        self.addCleanup(self.lab.close)
        self.cloud = self.lab.cloud

    def make_lab(self):
        return CloudLab(real_hosts=self.real_hosts)

    def fault(self, **rule):
        """Adds a fault, and checks at the end of the test that it struck."""
        rule = self.cloud.faults.add(**rule)
        self.addCleanup(lambda: self.assertGreater(rule.strikes, 0, f"never struck: {rule.text()}"))
        return rule

    def wait_for_status(self, name, status, seconds=30.0):
        wait_until(lambda: self.lab.states()[name].status == status, f"{name} is {status}", seconds)

    def assert_once(self, names, *workers):
        """Checks that each task was claimed once and ended once, also in its history."""
        states = self.lab.states()
        self.assertEqual(sorted(states), sorted(names))
        for name, state in states.items():
            story = [line["status"] for line in state.lines]
            said = "".join(line for worker in workers
                           for line in worker.stderr.splitlines(True) if name in line)
            self.assertEqual(story, ["pending", "claimed", "complete"], f"{name}\n{said}")
            self.assertEqual((state.version, state.exit_code), (3, "0"), name)


def make_certificate(directory):
    """The paths of a self-signed certificate for Google's hosts, and of its key."""
    certificate = os.path.join(directory, "certificate.pem")
    key = os.path.join(directory, "tls.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=sparkles test", "-addext",
         "subjectAltName=DNS:*.googleapis.com", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key


def make_key(test):
    """The path of a new private key, which is removed when `test` ends."""
    directory = tempfile.mkdtemp(prefix="key-")
    test.addCleanup(remove_tree, directory)
    path = os.path.join(directory, "private.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                    "-out", path], check=True, capture_output=True)
    return path


def public_key(path):
    """(modulus, exponent) of a private key."""
    done = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"],
                          check=True, capture_output=True, text=True)
    return int(done.stdout.strip().removeprefix("Modulus="), 16), 65537
