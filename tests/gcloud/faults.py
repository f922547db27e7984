"""Rules that say which requests get which fault.

A rule is a dict, so that it can also be JSON (POST /_faults). It matches requests of a `kind` (a
glob such as "upload.*"; the routes define the kinds), with a `method`, with a target that contains
the regular expression `path`, and with a body that contains the text `holds`. It skips the first
`skip` matching requests, then strikes `count` times (0: for ever). The first rule that strikes
wins. The actions, with their other keys:

  status   answers `code` with `body` (text, or an object that is sent as JSON), `retry_after` in
           seconds and `headers`. With `apply` the server first executes the request
  cut      breaks the connection: after `request_bytes` of the request's body, or after
           `response_bytes` of the response's, or instead of the response (with `apply`: after the
           server executed the request); with a reset or a normal end (`how`: "fin"); at once, or
           after `seconds`
  stall    waits `seconds`: before the response, or after `request_bytes` or `response_bytes`
  truncate sends only `bytes` of the body; Content-Length has the full size, or is `honest`
  corrupt  inverts the byte at `offset` of the response's body, or with `side` "request" of the
           request's body
  headers  replaces headers of the response by those in `set` (null removes one)
  json     replaces keys of a JSON response by those in `set`
  persist  makes an upload session keep only `bytes` of this request's content
  defer    acknowledges all bytes of an upload session, and creates the object at the next request
  expire   ends an upload session with `code` 404, 410 or 499
  garbage  answers with the bytes of `text` instead of HTTP
"""
import fnmatch
import json
import re
import threading

# action -> (required keys, optional keys)
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
    """One rule, and how often it has struck."""

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
        self.strikes = 0
        self._path = re.compile(keys.get("path", ""))
        self._to_skip = keys.get("skip", 0)
        self._lock = threading.Lock()

    def __getitem__(self, key):
        return self.keys[key]

    def get(self, key, default=None):
        return self.keys.get(key, default)

    def try_strike(self, request):
        """True, and counted, if the rule strikes this request."""
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
            elif not count or self.strikes < count:
                self.strikes += 1
                return True
            return False

    def text(self):
        return json.dumps({**self.keys, "strikes": self.strikes})


class Faults:
    """The active rules. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules = []

    def add(self, **keys):
        """Adds a rule and returns it, so that a test can count its strikes."""
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
        """The rule that strikes this request, or None."""
        for rule in self.rules():
            if rule.try_strike(request):
                return rule
        return None
