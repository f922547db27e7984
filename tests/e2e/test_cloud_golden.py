"""Runs the golden tasks with Datastore and Cloud Storage, and also compares the entities.

The deliberate differences are listed in test_golden.py.
"""
import time
import unittest

import test_golden  # a module, because imported test classes would run here again
from cloud_lab import CloudLabTest, plain, properties_of, value

NEW_PROPERTIES = {
    "a_future_property": {"stringValue": "kept"},
    "a_null": {"nullValue": None},
    "a_double": {"doubleValue": 3.0},
    "not_indexed": {"excludeFromIndexes": True, "blobValue": "AAEC/w=="},
    "tags": {"arrayValue": {"values": [{"stringValue": "b"}, {"stringValue": "a"}]}},
    "nested": {"entityValue": {"properties": {"x": {"integerValue": "1"}}}},
}


class CloudGolden(CloudLabTest, test_golden.Golden):
    def run_golden(self, scenario, golden):
        before = golden["entity_before"]
        before["key"] = self.lab.datastore.key("SparklesV5Task", f"{scenario}.1")
        self.lab.datastore.put(before)
        self.lab.cluster = before["properties"]["cluster"]["stringValue"]
        worker = self.lab.consume("--localhost")
        self.assertEqual(worker.exit_code, 0, worker.stderr)

    def check_state(self, scenario, golden):
        entity = self.lab.datastore.get("SparklesV5Task", f"{scenario}.1")
        before, after = (golden[key]["properties"] for key in ("entity_before", "entity_after"))
        ours, theirs = entity["properties"], dict(after)
        self.check_history(before, theirs.pop("history"), ours.pop("history"))
        instead = {name: what for name, what, _why in test_golden.ENTITY_DIFFERENCES}
        for name in ours.keys() | theirs.keys():
            if name in instead and plain(theirs.get(name, {"stringValue": ""})) == "":
                self.assertEqual(ours.get(name), value(instead[name]), name)
            elif name == "exit_code" and scenario in test_golden.EXIT_CODES:
                self.assertEqual(ours[name], value(test_golden.EXIT_CODES[scenario][0]))
            elif name == "failure_reason":
                self.assertTrue(ours[name]["excludeFromIndexes"])  # it may be long
                for word in test_golden.FAILURE_REASONS[scenario][0]:
                    self.assertIn(word, plain(ours[name]))
            else:
                self.assertEqual(ours.get(name), theirs.get(name), name)

    def check_history(self, before, theirs, ours):
        theirs, ours = (each["arrayValue"]["values"] for each in (theirs, ours))
        self.assertEqual(ours[:1], before["history"]["arrayValue"]["values"])
        self.assertEqual(len(ours), len(theirs))
        last = 0
        for their_entry, our_entry in zip(theirs[1:], ours[1:]):
            properties = our_entry["entityValue"]["properties"]
            for name, each in properties.items():
                self.assertTrue(each.get("excludeFromIndexes"), name)
            golden = properties_of(their_entry["entityValue"])
            actual = properties_of(our_entry["entityValue"])
            self.assertLessEqual(golden.keys(), actual.keys())
            self.assertLessEqual(actual.keys() - golden.keys(), test_golden.HISTORY_MORE_KEYS)
            for key in golden.keys() - {"timestamp"}:
                self.assertEqual(actual[key], golden[key], key)
            self.assertIs(type(actual["timestamp"]), float)
            self.assertLess(abs(actual["timestamp"] - time.time()), 60 * 60)
            self.assertGreaterEqual(actual["timestamp"], last)
            last = actual["timestamp"]

    def test_unknown_properties_are_kept(self):  # D23, D25
        entity = self.lab.entity("new.1", self.lab.spec("new.1", "true"), last_updated=1.5)
        entity["properties"].update(NEW_PROPERTIES)
        self.lab.datastore.put(entity)
        started = time.time()
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        after = self.lab.datastore.get("SparklesV5Task", "new.1")["properties"]
        self.assertEqual({name: after.get(name) for name in NEW_PROPERTIES}, NEW_PROPERTIES)
        self.assertGreaterEqual(plain(after["last_updated"]), started)
        self.assertNotIn("excludeFromIndexes", after["last_updated"])

    def test_only_task_id_is_added(self):
        properties = self.lab.entity("old.1", self.lab.spec("old.1", "true"))
        self.lab.datastore.put(properties)
        self.assertEqual(self.lab.consume("--localhost").exit_code, 0)
        after = self.lab.datastore.get("SparklesV5Task", "old.1")["properties"]
        self.assertEqual(after.keys() - properties["properties"].keys(), {"task_id"})


class CloudIdentity(CloudLabTest):
    def test_owner_matches_client_format(self):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        self.assertEqual(self.lab.consume().exit_code, 0)
        state = self.lab.states()["a.1"]
        self.assertEqual(state.owner, "projects/123456/zones/us-east1-b/worker-1")
        stats = self.lab.result("a.1")["machine_stats"]
        self.assertEqual(stats["machine_type"], "n2-standard-4")


if __name__ == "__main__":
    unittest.main()
