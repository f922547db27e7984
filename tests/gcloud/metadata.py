"""The metadata server of a virtual machine, with values that can change."""
import hashlib
import json
import threading

from .wire import Response

ROOT = "/computeMetadata/v1/"
ACCOUNT = "instance/service-accounts/default/"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
LONGEST_WAIT = 3600.0  # seconds


def camel(name):
    first, *more = name.split("-")
    return first + "".join(part.capitalize() for part in more)


class Metadata:
    """Thread-safe. `set` a path to None to remove it. A change answers a waiting client."""

    def __init__(self, tokens):
        self._tokens = tokens
        self._changed = threading.Condition()
        self.token_seconds = 3599
        self._values = {
            "instance/id": "4520031799277581759",
            "instance/name": "worker-1",
            "instance/hostname": "worker-1.us-east1-b.c.lab.internal",
            "instance/zone": "projects/123456/zones/us-east1-b",
            "instance/machine-type": "projects/123456/machineTypes/n2-standard-4",
            "instance/preempted": "FALSE",
            "instance/maintenance-event": "NONE",
            "instance/scheduling/preemptible": "TRUE",
            "instance/network-interfaces/0/ip": "10.0.0.7",
            "instance/network-interfaces/0/access-configs/0/external-ip": "203.0.113.7",
            "instance/attributes/note": "made up",
            ACCOUNT + "email": "worker@lab.iam.gserviceaccount.com",
            ACCOUNT + "scopes": CLOUD_PLATFORM + "\n",
            ACCOUNT + "aliases": "default\n",
            "project/project-id": "lab",
            "project/numeric-project-id": "123456",
        }

    def set(self, path, value):
        with self._changed:
            if value is None:
                self._values.pop(path, None)
            else:
                self._values[path] = value
            self._changed.notify_all()

    def route(self, request):
        """(kind, handler) or None."""
        if request.path.startswith("/computeMetadata") or (
                request.path == "/" and "metadata-flavor" in request.headers):
            kind = "metadata.get"
            if request.path == ROOT + ACCOUNT + "token":
                kind = "metadata.token"
            elif "wait_for_change" in request.query:
                kind = "metadata.wait"
            return kind, lambda: self.answer(request)
        return None

    def answer(self, request):
        response = self._answer(request)
        response.headers["Metadata-Flavor"] = "Google"
        response.headers["Server"] = "Metadata Server for VM"
        return response

    def _answer(self, request):
        headers = request.headers
        if request.path == "/":
            return Response(200, b"computeMetadata/\n", "application/text")
        if headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in headers:
            return Response(403, b"Your client does not have permission to get this URL.")
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"Method Not Allowed")
        path = request.path.removeprefix(ROOT)
        if path == request.path:
            return Response(404, b"Not Found")
        if path == ACCOUNT + "token":
            return self._token(request)
        recursive = request.query.get("recursive", "").lower() == "true"
        if request.query.get("wait_for_change", "").lower() == "true":
            if path.endswith("/") and not recursive:
                return Response(400, b"wait_for_change on a directory needs recursive=true")
            self._wait(path, recursive, request)
        with self._changed:
            return self._value(path, recursive, request)

    def _wait(self, path, recursive, request):
        seconds = min(float(request.query.get("timeout_sec", LONGEST_WAIT)), LONGEST_WAIT)

        def tag():
            return self._value(path, recursive, request).headers.get("ETag")

        with self._changed:
            known = request.query.get("last_etag", tag())
            self._changed.wait_for(lambda: tag() != known, seconds)

    def _value(self, path, recursive, request):
        if path in self._values:
            return self._text(self._values[path], request)
        directory = path if path.endswith("/") or not path else path + "/"
        below = {name.removeprefix(directory): value for name, value in self._values.items()
                 if name.startswith(directory)}
        if not below:
            return Response(404, b"Not Found")
        if directory != path:
            return Response(301, b"", Location=f"{request.base_url}{ROOT}{directory}")
        if recursive:
            return self._text(json.dumps(self._tree(below)), request, "application/json")
        names = sorted({name[:name.index("/") + 1] if "/" in name else name for name in below})
        return self._text("".join(name + "\n" for name in names), request)

    @staticmethod
    def _text(value, request, kind="application/text"):
        if request.query.get("alt") == "json" and kind != "application/json":
            value, kind = json.dumps(value), "application/json"
        data = value.encode()
        return Response(200, data, kind, ETag=hashlib.sha256(data).hexdigest()[:16])

    @staticmethod
    def _tree(below):
        tree = {}
        for name, value in below.items():
            *directories, last = name.split("/")
            place = tree
            for directory in directories:
                place = place.setdefault(camel(directory), {})
            place[camel(last)] = value
        return tree

    def _token(self, request):
        scopes = self._values[ACCOUNT + "scopes"].split()
        token = self._tokens.issue(scopes, self.token_seconds)
        return Response.json({"access_token": token, "expires_in": self.token_seconds,
                              "token_type": "Bearer"})
