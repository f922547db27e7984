"""The media, multipart and resumable uploads of the Cloud Storage JSON API."""
import email.parser
import email.policy
import re
import urllib.parse

from .gcs import conditions_of, parse_json, selected
from .objects import GRANULE, StorageError
from .wire import Cut, Response

CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


def invalid(message):
    return StorageError(400, "invalid", message)


def parse_related(content_type, body):
    """(metadata, content, content type) of a multipart/related body of exactly two parts."""
    message = email.parser.HeaderParser(policy=email.policy.HTTP).parsestr(
        f"Content-Type: {content_type}\r\n\r\n")
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/related" or not boundary:
        raise invalid("Missing or bad Content-Type: multipart/related with a boundary is needed.")
    mark = b"--" + boundary.encode()
    start = body.find(mark + b"\r\n")
    middle = body.find(b"\r\n" + mark + b"\r\n", start)
    end = body.rfind(b"\r\n" + mark + b"--")
    if start < 0 or middle < 0 or end < middle:
        raise invalid("Malformed multipart body.")
    parts = (body[start + len(mark) + 2:middle], body[middle + len(mark) + 4:end])
    (json_head, json_text), (head, content) = (_head_and_content(part) for part in parts)
    if b"application/json" not in json_head.lower():
        raise invalid("The first part must be application/json.")
    found = re.search(rb"(?im)^content-type: *([^\r\n]*)", head)
    return parse_json(json_text), content, found[1].decode("latin-1") if found else ""


def _head_and_content(part):
    if part.startswith(b"\r\n"):
        return b"", part[2:]
    head, separator, content = part.partition(b"\r\n\r\n")
    if not separator:
        raise invalid("Malformed multipart body.")
    return head, content


class UploadsApi:
    def __init__(self, storage, objects_api):
        self.storage = storage
        self.objects_api = objects_api

    def route(self, request):
        """(kind, handler) or None."""
        match = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", request.path)
        if not match:
            return None
        bucket = urllib.parse.unquote(match[1])
        if "upload_id" in request.query:
            return self._route_session(request)
        if request.method != "POST":
            return None
        kind, handler = {
            "media": ("upload.media", self.media),
            "multipart": ("upload.multipart", self.multipart),
            "resumable": ("upload.start", self.start),
        }.get(request.query.get("uploadType"), ("upload.bad", self.bad_type))
        def insert():
            self.storage.require_payer(bucket, request)
            self.storage.require("storage.objects.create")
            return handler(request, bucket)
        return kind, insert

    def _route_session(self, request):
        if request.method == "DELETE":
            return "upload.cancel", lambda: self.cancel(request)
        if request.method not in ("PUT", "POST"):
            return None
        asks = re.match(r"bytes \*/", request.headers.get("content-range", ""))
        if asks and request.length() == 0:
            return "upload.status", lambda: self.put(request)
        return "upload.put", lambda: self.put(request)

    def bad_type(self, request, _bucket):
        raise invalid("Invalid uploadType.")

    def _answer(self, request, bucket, found):
        resource = self.objects_api.resource(bucket, found)
        return Response.json(selected(resource, request.query.get("fields")))

    def media(self, request, bucket):
        metadata = {"contentType": request.headers.get("content-type", ""),
                    "contentEncoding": request.query.get("contentEncoding", "")}
        metadata.update(said_hashes(request))
        found = self.storage.insert(bucket, request.query.get("name", ""), request.read(), metadata,
                                    conditions_of(request))
        return self._answer(request, bucket, found)

    def multipart(self, request, bucket):
        metadata, content, kind = parse_related(request.headers.get("content-type", ""),
                                                request.read())
        metadata.setdefault("contentType", kind)
        name = request.query.get("name") or metadata.get("name", "")
        found = self.storage.insert(bucket, name, content, metadata, conditions_of(request))
        return self._answer(request, bucket, found)

    def start(self, request, bucket):
        text = request.read()
        kind = request.headers.get("content-type", "")
        if text and not kind.startswith("application/json"):
            raise invalid("Unsupported content with type: " + kind)
        metadata = parse_json(text)
        if "x-upload-content-type" in request.headers:
            metadata.setdefault("contentType", request.headers["x-upload-content-type"])
        length = request.headers.get("x-upload-content-length")
        name = request.query.get("name") or metadata.get("name", "")
        session = self.storage.start_session(bucket, name, metadata, conditions_of(request),
                                             None if length is None else int(length))
        query = urllib.parse.urlencode({"uploadType": "resumable", "name": name,
                                        "upload_id": session.id}, quote_via=urllib.parse.quote)
        return Response(200, Location=f"{request.base_url}{request.path}?{query}",
                        X_GUploader_UploadID=session.id)

    def cancel(self, request):
        self._session(request)
        self.storage.end_session(request.query["upload_id"])
        return Response(499)

    def _session(self, request):
        session = self.storage.session(request.query["upload_id"])
        if session is None:
            raise StorageError(404, "notFound", "No such upload session.")
        return session

    def put(self, request):
        session = self._session(request)
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            raise invalid("Unsupported content with type: " + kind)
        with session.lock:
            if session.object is not None:
                request.drain()
                return self._answer(request, session.bucket, session.object)
            return self._continue(request, session)

    def _continue(self, request, session):
        first, last, total = self._range(request)
        if session.length is not None and total not in (None, session.length):
            raise invalid(f"The upload was declared to have {session.length} bytes.")
        before = len(session.data)
        if first is not None:
            self._receive(request, session, first)
            if total is not None and last >= total:
                raise invalid("The range goes beyond the total.")
        rule = request.rule
        if rule and rule.action == "persist":
            del session.data[max(before, before + rule["bytes"] // GRANULE * GRANULE):]
        finished = total is not None and len(session.data) == total
        if finished and not (rule and rule.action == "defer"):
            session.metadata.update(said_hashes(request))
            self.storage.finish_session(session)
            return self._answer(request, session.bucket, session.object)
        if not finished:
            session.keep_whole_granules(before)
        response = Response(308)
        if session.data:
            response.headers["Range"] = f"bytes=0-{len(session.data) - 1}"
        return response

    @staticmethod
    def _range(request):
        """(first, last, total) of Content-Range; None for a missing number."""
        text = request.headers.get("content-range")
        length = request.length()
        if text is None:
            return 0, (length or 0) - 1, length
        match = CONTENT_RANGE.fullmatch(text)
        if not match:
            raise invalid(f"Failed to parse Content-Range header: {text}")
        first, last, total = (int(part) if part and part != "*" else None
                              for part in match.groups())
        if first is None:
            if length:
                raise invalid("A status query has no body.")
            return None, None, total
        if last < first or length not in (None, last - first + 1):
            raise invalid("Content-Range does not match Content-Length.")
        if (total is None or last + 1 < total) and (last + 1 - first) % GRANULE:
            raise invalid("All chunks but the last must be multiples of 256 KiB.")
        return first, last, total

    @staticmethod
    def _receive(request, session, first):
        """Appends the new bytes. If the connection breaks, keeps only whole granules."""
        before = len(session.data)
        if first > before:
            raise invalid(f"The range begins at {first}, but only {before} bytes are there.")
        at = first
        try:
            for piece in request.pieces():
                session.add(piece[max(0, len(session.data) - at):])
                at += len(piece)
        except (Cut, OSError):
            session.keep_whole_granules(before)
            raise


def said_hashes(request):
    """The hashes in the header X-Goog-Hash, under the names of the metadata."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    found = re.findall(r"(crc32c|md5)=([A-Za-z0-9+/=]+)", request.headers.get("x-goog-hash", ""))
    return {names[kind]: value for kind, value in found}
