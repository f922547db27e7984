"""The objects of the Cloud Storage JSON API. Uploads are in uploads.py."""
import gzip
import json
import re
import urllib.parse

from .objects import StorageError, check_conditions
from .wire import Response

CONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch",
              "ifMetagenerationNotMatch")
COMPOSE_PATH = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/compose")
OBJECT_PATH = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)")


def conditions_of(request):
    return {key: request.query[key] for key in CONDITIONS if key in request.query}


def error(request, failure):
    """The error response; plain text for media."""
    if failure.code == 304:
        return Response(304)
    if request.query.get("alt") == "media":
        return Response(failure.code, str(failure).encode(), "text/html; charset=UTF-8")
    return Response.json({"error": {"code": failure.code, "message": str(failure), "errors": [
        {"message": str(failure), "domain": "global", "reason": failure.reason}]}}, failure.code)


def parse_json(text):
    try:
        value = json.loads(text or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise StorageError(400, "parseError", "Parse Error")
    return value


def selected(value, fields):
    """The partial response for `fields`: "a,b" or "items(a,b),c"."""
    if not fields or fields == "*":
        return value
    result = {}
    for name, inner in re.findall(r"([\w*]+)(?:\(([^)]*)\))?", fields):
        if name in value:
            result[name] = [selected(item, inner) for item in value[name]] if inner else value[name]
    return result


class ObjectsApi:
    def __init__(self, storage):
        self.storage = storage
        # Google's storage testbench differs from Cloud Storage in these.
        self.omits_zeros = False  # leaves out `size` in the resource of an empty object
        self.ranges_as_200 = False  # sends a range with 200 and Content-Range

    def route(self, request):
        """(kind, handler) or None."""
        if match := OBJECT_PATH.fullmatch(request.path):
            bucket, name = (urllib.parse.unquote(part) for part in match.groups())
            media = request.query.get("alt") == "media" or request.path.startswith("/download")
            kind = {"GET": "object.media" if media else "object.get",
                    "HEAD": "object.get", "DELETE": "object.delete"}.get(request.method)
            handler = {"object.media": self.media, "object.get": self.metadata,
                       "object.delete": self.delete}.get(kind)

            def answer():
                self.storage.require_payer(bucket, request)
                return handler(request, bucket, name)
            return kind and (kind, answer)
        if request.method == "POST" and (match := COMPOSE_PATH.fullmatch(request.path)):
            bucket, name = (urllib.parse.unquote(part) for part in match.groups())

            def joined():
                self.storage.require_payer(bucket, request)
                return self.compose(request, bucket, name)
            return "object.compose", joined
        if request.path == "/storage/v1/b" and request.method == "POST":
            return "bucket.insert", lambda: self.make_bucket(request)
        if match := re.fullmatch(r"/storage/v1/b/([^/]+)/iam/testPermissions", request.path):
            return "bucket.permissions", lambda: self.permissions(request, match[1])
        if match := re.fullmatch(r"/storage/v1/b/([^/]+)(/o)?", request.path):
            if request.method == "GET":
                bucket = urllib.parse.unquote(match[1])
                if match[2]:
                    return "object.list", lambda: self.list(request, bucket)
                return "bucket.get", lambda: self.bucket(bucket)
        return None

    def resource(self, bucket, found):
        resource = {
            "kind": "storage#object", "id": f"{bucket}/{found.name}/{found.generation}",
            "name": found.name, "bucket": bucket, "generation": str(found.generation),
            "metageneration": "1", "storageClass": "STANDARD", "size": str(len(found.data)),
            "md5Hash": found.md5, "crc32c": found.crc32c, "etag": f"CK{found.generation}=",
            "timeCreated": found.created, "updated": found.created, **found.kept,
            **found.metadata}
        if found.components:
            del resource["md5Hash"]
            resource["componentCount"] = found.components
        if self.omits_zeros and not found.data:
            del resource["size"]
        return resource

    def make_bucket(self, request):
        name = parse_json(request.read()).get("name", "")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", name):
            raise StorageError(400, "invalid", f"Invalid bucket name: '{name}'")
        self.storage.make_bucket(name)
        return self.bucket(name)

    def bucket(self, bucket):
        if not self.storage.has_bucket(bucket):
            raise StorageError(404, "notFound", "The specified bucket does not exist.")
        return Response.json({"kind": "storage#bucket", "id": bucket, "name": bucket})

    def permissions(self, request, bucket):
        self.bucket(urllib.parse.unquote(bucket))
        asked = urllib.parse.parse_qs(request.target.partition("?")[2]).get("permissions", [])
        granted = [each for each in asked if each not in self.storage.denied]
        answer = {"kind": "storage#testIamPermissionsResponse"}
        return Response.json({**answer, "permissions": granted} if granted else answer)

    def metadata(self, request, bucket, name):
        self.storage.require("storage.objects.get")
        found = self.storage.find(bucket, name, request.query.get("generation"))
        check_conditions(conditions_of(request), found)
        return Response.json(selected(self.resource(bucket, found), request.query.get("fields")))

    def delete(self, request, bucket, name):
        self.storage.require("storage.objects.delete")
        self.storage.delete(bucket, name, request.query.get("generation"), conditions_of(request))
        return Response(204)

    def compose(self, request, bucket, name):
        self.storage.require("storage.objects.create")
        self.storage.require("storage.objects.get")
        asked = parse_json(request.read())
        sources = [(source.get("name", ""), source.get("generation"),
                    source.get("objectPreconditions", {}))
                   for source in asked.get("sourceObjects", [])]
        found = self.storage.compose(bucket, name, sources, asked.get("destination", {}),
                                     conditions_of(request))
        return Response.json(selected(self.resource(bucket, found), request.query.get("fields")))

    def list(self, request, bucket):
        query = request.query
        start = max(query.get("pageToken", ""), query.get("startOffset", ""))
        most = int(query.get("maxResults") or 1000)
        answer, count = {"kind": "storage#objects"}, 0
        for name, found in self.storage.objects(bucket, query.get("prefix", "")).items():
            if name.encode() < start.encode() or name >= query.get("endOffset", chr(0x10FFFF)):
                continue
            prefix = self._common_prefix(name, query)
            if prefix in answer.get("prefixes", []):
                continue
            if count == most:
                answer["nextPageToken"] = name
                break
            if prefix is None:
                answer.setdefault("items", []).append(self.resource(bucket, found))
            else:
                answer.setdefault("prefixes", []).append(prefix)
            count += 1
        return Response.json(selected(answer, query.get("fields")))

    @staticmethod
    def _common_prefix(name, query):
        delimiter, start = query.get("delimiter"), len(query.get("prefix", ""))
        if not delimiter or (end := name.find(delimiter, start)) < 0:
            return None
        return name[:end + len(delimiter)]

    def media(self, request, bucket, name):
        self.storage.require("storage.objects.get")
        found = self.storage.find(bucket, name, request.query.get("generation"))
        check_conditions(conditions_of(request), found)
        if self._transcodes(request, found):
            # The hash is that of the stored bytes, and a range is ignored.
            response = Response(200, gzip.decompress(found.data))
            response.chunked = True
            response.headers["Warning"] = "214 UploadServer gunzipped"
        else:
            response = self._slice(request, found)
            if found.encoding:
                response.headers["Content-Encoding"] = found.encoding
        if self.ranges_as_200 and response.status == 206:
            response.status = 200
        headers = response.headers
        headers["Content-Type"] = found.metadata.get("contentType", "application/octet-stream")
        headers["ETag"] = f"CK{found.generation}="
        headers["X-Goog-Generation"] = str(found.generation)
        headers["X-Goog-Metageneration"] = "1"
        headers["X-Goog-Stored-Content-Length"] = str(len(found.data))
        headers["X-Goog-Stored-Content-Encoding"] = found.encoding or "identity"
        hashes = [f"crc32c={found.crc32c}", f"md5={found.md5}"][:1 if found.components else 2]
        if found.generation % 2:  # one or two header lines: clients must read both forms
            hashes = [",".join(hashes)]
        response.more_headers += [("X-Goog-Hash", value) for value in hashes]
        return response

    @staticmethod
    def _transcodes(request, found):
        return (found.encoding == "gzip"
                and "gzip" not in request.headers.get("accept-encoding", "")
                and "no-transform" not in found.metadata.get("cacheControl", ""))

    @staticmethod
    def _slice(request, found):
        size = len(found.data)
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if not match or match.groups() == ("", ""):
            return Response(200, found.data)
        first, last = match.groups()
        if first == "":
            start, end = max(0, size - int(last)), size
        else:
            start, end = int(first), min(size, int(last) + 1) if last else size
        if start >= size or end <= start:
            return Response(416, b"Requested range not satisfiable",
                            Content_Range=f"bytes */{size}")
        return Response(206, memoryview(found.data)[start:end],
                        Content_Range=f"bytes {start}-{end - 1}/{size}")
