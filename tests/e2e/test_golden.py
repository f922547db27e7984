"""Runs the specs of tests/golden/ and compares the results with those of the old worker.

The tables below list all deliberate differences; everything else must be the same.
"""
import hashlib
import json
import pathlib
import re
import unittest

from harness import SANITIZED, LabTest

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
SCENARIOS = sorted(path.stem for path in GOLDEN.glob("*.json"))

ALPHA, BETA = b"a" * 5000, b"b" * 4000
PLAIN = b"plain\n"
# The content of ALPHA and BETA in the golden data is lost; only its hashes are known.
GOLDEN_ALPHA = "828668074959e6321224a6eb9d6b4ac96c9ec40d1bf6c29cb3a8771ab93498f3"
GOLDEN_BETA = "b984972f286a3d7038f670fb8fcb8a8ba13200bdd50795497d60e4022c44df53"

# scenario -> (our exit code, why)
EXIT_CODES = {
    "segv": ("139", "128+n: clients call int() on the exit code"),
    "sigkill": ("137", "the same"),
    "sigterm": ("143", "the same"),
}

# scenario -> ({further object: size or None for any}, why)
MORE_OBJECTS = {
    "scripts": ({"preexec.txt": 8}, "pre-exec-script runs"),
    "missing-download": ({"result.json": None, "stdout.txt": None},
                         "a failed task uploads its log and a result.json too"),
    "working-dir": ({"result.json": None, "stdout.txt": None}, "the same"),
}

# scenario -> (words of our failure reason, why)
FAILURE_REASONS = {
    "missing-download": (["plain/nothing.txt"], "an error names the object that it is about"),
    "working-dir": (["deep/er"], "the same"),
}

# Keys of result.json that 5.14.0 lacks: (where, key, type, why).
MORE_KEYS = [
    ("resource_usage", "start_time", float, "5.8.2 has it"),
    ("resource_usage", "end_time", float, "5.8.2 has it"),
    ("resource_usage", "elapsed_time", float, "5.8.2 has it"),
    ("resource_usage", "read_bytes", int, "what a command did to the disk"),
    ("resource_usage", "write_bytes", int, "the same"),
    ("resource_usage", "peak_processes", int, "all that it started"),
    ("resource_usage", "peak_memory_size", int, "the same"),
    ("machine_stats", "samples", int, "how much the percentiles rest on"),
    ("machine_stats", "min_disk_free", int, "full disks explain failures"),
    ("machine_stats", "gpus", list, "how busy the GPUs were"),
    ("", "cause", dict, "why a command failed"),
    ("files", "size", int, "result.json says what was stored"),
    ("files", "crc32c", int, "the same"),
    ("files", "generation", int, "the same"),
    ("", "skipped", list, "what matched and could not be uploaded"),
    ("", "unmatched_patterns", list, "what users have to know"),
]

# Differences of our entities in Datastore, for test_cloud_golden.py: (property, value, why).
ENTITY_DIFFERENCES = [
    ("failure_reason", None, "null stays null; Go leaves the property out"),
    ("exit_code", None, "where there is none: null stays null; Go writes an empty text"),
    ("monitor_address", None, "the same"),
]
# Our worker leaves existing history entries unchanged; Go drops nulls and index flags. New entries
# have the golden keys and these.
HISTORY_MORE_KEYS = {"failure_reason"}


def normal_stdout(text):
    """`ls -l` without details of the machine and without the mode of stdout.txt. Ours is an
    ordinary file (0644); the old worker made it with 0766 less umask by mistake."""
    text = re.sub(r"(?m)^total \d+$", "total", text)
    lines = []
    for line in text.splitlines(keepends=True):
        match = re.match(r"([-dl]\S{9}) +\d+ \S+ \S+ +(\d+) .{12} (.*)", line)
        if match:
            mode, size, name = match.groups()
            if name == "stdout.txt":
                mode = "-rw-r--r--"
            if mode[0] != "-":
                size = ""
            name = re.sub(r"-> .*/", "-> ", name)
            line = f"{mode} {size} {name}\n"
        lines.append(line)
    return "".join(lines)


class Golden(LabTest):
    def prepare(self, scenario):
        """Stores the inputs; returns the golden data with our URLs and hashes."""
        for content in (ALPHA, BETA):
            self.lab.put_cas(content)
        self.lab.put("plain/file.txt", PLAIN)
        text = (GOLDEN / f"{scenario}.json").read_text(encoding="utf-8")
        for old, new in (("gs://lab/", self.lab.url("")),
                         (GOLDEN_ALPHA, hashlib.sha256(ALPHA).hexdigest()),
                         (GOLDEN_BETA, hashlib.sha256(BETA).hexdigest())):
            text = text.replace(old, new)
        return json.loads(text)

    def check_state(self, scenario, golden):
        state = self.lab.states()[f"{scenario}.1"]
        self.assertEqual([line["status"] for line in state.lines], ["claimed", golden["status"]])
        self.assertEqual(state.version, 3)  # the client wrote 1
        code, _why = EXIT_CODES.get(scenario, (golden["exit_code"] or None, ""))
        self.assertEqual(state.exit_code, code)
        words, _why = FAILURE_REASONS.get(scenario, ([], ""))
        for word in words:
            self.assertIn(word, state.failure_reason)
        if golden["status"] == "complete":
            self.assertIsNone(state.failure_reason)

    def check_objects(self, scenario, golden):
        more, _why = MORE_OBJECTS.get(scenario, ({}, ""))
        expected = {f"{scenario}/1/{name}": size for name, size in more.items()}
        expected.update(golden["objects"])
        stored = self.lab.stored("")
        actual = {name: len(data) for name, data in stored.items()
                  if not name.startswith(("cas/", "plain/"))}
        self.assertEqual(sorted(actual), sorted(expected))
        for name, size in expected.items():
            names_paths = scenario == "cas-downloads" and name.endswith("stdout.txt")
            if size is not None and not name.endswith("result.json") and not names_paths:
                self.assertEqual(actual[name], size, name)

    def check_stdout(self, scenario, golden):
        log = self.lab.read(golden["spec"]["stdout_url"]).decode()
        if golden["stdout"] is None:
            self.assertIn("sparkles: ", log)
        elif scenario == "cas-downloads":
            self.assertEqual(normal_stdout(log), normal_stdout(golden["stdout"]))
        else:
            self.assertEqual(log, golden["stdout"])

    def check_result(self, golden):
        result = json.loads(self.lab.read(golden["spec"]["command_result_url"]))
        if golden["result"] is None:
            self.assertEqual(result["command"], golden["spec"]["command"])
            self.assertTrue(result["failure_reason"])
            self.assertNotIn("return_code", result)
            return
        self.check_result_keys(golden["result"], result)
        for key in ("command", "return_code", "parameters"):
            self.assertEqual(result.get(key), golden["result"].get(key), key)
        ours = [(file["src"], file["dst_url"]) for file in result["files"]]
        theirs = {(file["src"], file["dst_url"]) for file in golden["result"]["files"]}
        if "pre-exec-script" in golden["spec"]:
            theirs.add(("preexec.txt", golden["spec"]["uploads"]["dst_url"] + "/preexec.txt"))
        self.assertEqual(ours, sorted(theirs))  # Go's are in the random order of a map
        self.assertEqual(result["machine_stats"]["machine_type"], "")
        usage = result["resource_usage"]
        if not SANITIZED:  # the number includes memory of the sanitizer
            # The old worker also counted its own memory.
            self.assertLess(usage["max_memory_size"],
                            golden["result"]["resource_usage"]["max_memory_size"])
        self.assertAlmostEqual(usage["elapsed_time"], usage["end_time"] - usage["start_time"],
                               delta=0.01)

    def check_result_keys(self, golden, result):
        """Checks that the result has the keys and types of `golden` and of MORE_KEYS."""
        more = {(where, key): kind for where, key, kind, _why in MORE_KEYS}

        def check(where, theirs, ours):
            for key in theirs.keys() | ours.keys():
                value = ours.get(key)
                if key not in theirs:
                    self.assertIsInstance(value, more.get((where, key), ()), f"{where}.{key}")
                elif isinstance(theirs[key], dict):
                    check(key, theirs[key], value)
                elif key.endswith("percent_usage"):
                    self.assertIsInstance(value, (int, float), key)
                else:
                    self.assertIs(type(value), type(theirs[key]), key)

        check("", golden, result)
        for theirs, ours in zip(golden["files"], result["files"]):
            check("files", theirs, ours)
        for where, key, _kind, _why in MORE_KEYS:
            if where == "resource_usage":
                self.assertIn(key, result[where])

    def run_golden(self, scenario, golden):
        self.run_tasks({"task_id": f"{scenario}.1", "args": json.dumps(golden["spec"])})

    def check(self, scenario):
        golden = self.prepare(scenario)
        self.run_golden(scenario, golden)
        self.check_state(scenario, golden)
        self.check_objects(scenario, golden)
        self.check_stdout(scenario, golden)
        self.check_result(golden)


def add_test(scenario):
    def test(self):
        self.check(scenario)

    setattr(Golden, f"test_{scenario.replace('-', '_')}", test)


for each in SCENARIOS:
    add_test(each)


class GoldenData(unittest.TestCase):
    def test_all_scenarios_are_present(self):
        self.assertEqual(len(SCENARIOS), 18)


if __name__ == "__main__":
    unittest.main()
