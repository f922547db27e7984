"""What can go wrong on the wire: rules that say which request meets which trouble.

A rule is a dict, so that it can also come as JSON (POST /_faults). It is for the requests of a
`kind` (a glob such as "upload.*"; the kinds are those of the routes), with a `method` and with a
target in which the regular expression `path` is found, and a body that `holds` a text. It skips
the first `skip` of them, then bites `count` times (0: for ever). The first rule that bites wins.
The actions, with further keys:

  status   answers `code` with `body` (text, or an object sent as JSON), `retry_after` in seconds
           and `headers`. With `apply` the request is carried out first: the answer is a lie
  cut      breaks the connection: after `request_bytes` of the request's body, or after
           `response_bytes` of the response's, or instead of the response (with `apply`: when the
           request was carried out); with a reset, or as if all were well (`how`: "fin"); at once,
           or when `seconds` have passed
  stall    waits `seconds`: before the response, or after `request_bytes` or `response_bytes`
  truncate sends only `bytes` of the body; Content-Length promises all, or is `honest`
  corrupt  turns the byte at `offset` of the body of the response, or of the `side` "request"
  headers  replaces headers of the response by those in `set` (null removes one)
  json     replaces keys of a JSON response by those in `set`
  persist  an upload session keeps only `bytes` of what it is sent now
  defer    an upload session that has all bytes says so, but makes the object at the next request
  expire   an upload session is gone: `code` 404, 410 or 499
  garbage  answers with the bytes of `text` instead of HTTP
"""
import fnmatch
import json
import re
import threading

# action -> (keys that it needs, keys that it may have)
ACTIONS = {
    "status": ({"code"}, {"body", "retry_after", "headers", "apply"}),
    "cut": (set(), {"request_bytes", "response_bytes", "apply", "how", "seconds"}),
    "stall": ({"seconds"}, {"request_bytes", "response_bytes"}),
    "truncate": ({"bytes"}, {"honest"}),
    "corrupt": ({"offset"}, {"side"}),
    "headers": ({"set"}, set()),
    "json": ({"set"}, set()),
    "persist": ({"bytes"}, set()),
    "defer": (set(), set()),
    "expire": (set(), {"code"}),
    "garbage": (set(), {"text"}),
}
MATCH_KEYS = {"action", "kind", "method", "path", "holds", "skip", "count"}


class Rule:
    """One rule and how often it has bitten."""

    def __init__(self, **keys):
        action = keys.get("action")
        if action not in ACTIONS:
            raise ValueError(f"no such action: {action}")
        needed, more = ACTIONS[action]
        missing, unknown = needed - keys.keys(), keys.keys() - needed - more - MATCH_KEYS
        if missing or unknown:
            raise ValueError(f"{action}: keys missing: {missing}, keys not known: {unknown}")
        self.keys = keys
        self.action = action
        self.bites = 0
        self._path = re.compile(keys.get("path", ""))
        self._to_skip = keys.get("skip", 0)
        self._lock = threading.Lock()

    def __getitem__(self, key):
        return self.keys[key]

    def get(self, key, default=None):
        return self.keys.get(key, default)

    def takes(self, request):
        """Whether it bites this request; then that is counted."""
        if not fnmatch.fnmatchcase(request.kind, self.get("kind", "*")):
            return False
        if request.method != self.get("method", request.method):
            return False
        if not self._path.search(request.target):
            return False
        if self.get("holds") and self["holds"].encode() not in request.read():
            return False
        with self._lock:
            count = self.get("count", 1)
            if self._to_skip > 0:
                self._to_skip -= 1
            elif not count or self.bites < count:
                self.bites += 1
                return True
            return False

    def text(self):
        return json.dumps({**self.keys, "bites": self.bites})


class Faults:
    """The rules in force. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules = []

    def add(self, **keys):
        """Adds a rule; it is returned, so that a test can ask how often it has bitten."""
        rule = Rule(**keys)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self):
        with self._lock:
            self._rules.clear()

    def rules(self):
        with self._lock:
            return list(self._rules)

    def take(self, request):
        """The rule that bites this request, or None."""
        for rule in self.rules():
            if rule.takes(request):
                return rule
        return None
