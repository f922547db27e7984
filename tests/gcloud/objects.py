"""The state of Cloud Storage: buckets, objects and upload sessions, without HTTP."""
import base64
import copy
import hashlib
import secrets
import threading
import time

from .checksum import crc32c, crc32c_text

GRANULE = 256 * 1024  # an upload session persists whole granules until the last byte arrives
MAX_COMPONENTS = 32  # sources of one compose request
METADATA_KEYS = ("contentType", "contentEncoding", "cacheControl", "contentDisposition", "metadata")


class StorageError(Exception):
    """An error: HTTP status, Google's reason, message."""

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code = code
        self.reason = reason


class Object:
    def __init__(self, name, data, generation, metadata):
        self.name = name
        self.data = data  # the stored bytes; never changed
        self.generation = generation
        self.metadata = {key: metadata[key] for key in METADATA_KEYS if metadata.get(key)}
        self.crc32c = crc32c_text(crc32c(data))
        self.md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        self.components = 0  # of a composite object, which has no MD5
        self.kept = {}  # temporaryHold, eventBasedHold, retentionExpirationTime
        self.created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())

    @property
    def encoding(self):
        return self.metadata.get("contentEncoding", "")


class Session:
    """A resumable upload. `data` has the persisted bytes."""

    def __init__(self, bucket, name, metadata, conditions, length):
        self.id = "AHmUCY" + secrets.token_urlsafe(48)
        self.bucket = bucket
        self.name = name
        self.metadata = metadata
        self.conditions = conditions
        self.length = length  # the value of X-Upload-Content-Length, or None
        self.data = bytearray()
        self.object = None  # set when the upload is complete
        self.lock = threading.Lock()

    def add(self, piece):
        self.data += piece

    def keep_whole_granules(self, before):
        """Call when the connection breaks: of the new bytes, keeps only whole granules."""
        del self.data[max(before, len(self.data) // GRANULE * GRANULE):]


class Storage:
    """All buckets. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._buckets = {}
        self._sessions = {}
        self._generation = int(time.time() * 1_000_000)
        self.session_ids = []  # all ids so far; they are secrets
        self.denied = set()  # names of permissions, such as "storage.objects.get"
        self.requester_pays = set()  # buckets
        # bucket -> `kept` of each new object: a retention policy or a default hold
        self.new_kept = {}

    def require(self, permission):
        """Raises an error if the account lacks the permission."""
        if permission in self.denied:
            raise StorageError(403, "forbidden", (
                f"worker@lab does not have {permission} access to the Google Cloud Storage object. "
                f"Permission '{permission}' denied on resource (or it may not exist)."))

    def require_payer(self, bucket, request):
        named = request.query.get("userProject") or request.headers.get("x-goog-user-project")
        if bucket in self.requester_pays and not named:
            raise StorageError(400, "required", "Bucket is a requester pays bucket but no user "
                                                "project provided.")

    def make_bucket(self, bucket):
        with self._lock:
            self._buckets.setdefault(bucket, {})

    def copy(self, bucket, name, new_name):
        """Creates another object with the same content (for tests)."""
        with self._lock:
            made = copy.copy(self._objects(bucket)[name])
            self._generation += 1
            made.name, made.generation = new_name, self._generation
            self._objects(bucket)[new_name] = made

    def has_bucket(self, bucket):
        with self._lock:
            return bucket in self._buckets

    def _objects(self, bucket):
        if bucket not in self._buckets:
            raise StorageError(404, "notFound", "The specified bucket does not exist.")
        return self._buckets[bucket]

    def put(self, bucket, name, data, **metadata):
        """Stores an object without any condition (for tests)."""
        self.make_bucket(bucket)
        return self.insert(bucket, name, data, metadata, {})

    def data(self, bucket, name):
        """The content of an object, or None (for tests)."""
        with self._lock:
            found = self._buckets.get(bucket, {}).get(name)
            return None if found is None else bytes(found.data)

    def objects(self, bucket, prefix=""):
        """{name: Object} of a bucket."""
        with self._lock:
            return {name: found for name, found in sorted(
                self._objects(bucket).items(), key=lambda item: item[0].encode())
                    if name.startswith(prefix)}

    def find(self, bucket, name, generation=None):
        with self._lock:
            found = self._objects(bucket).get(name)
        if found is None or generation not in (None, str(found.generation)):
            raise StorageError(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def insert(self, bucket, name, data, metadata, conditions):
        """Creates a new generation if the client's declarations match the content."""
        if not name or len(name.encode()) > 1024 or "\r" in name or "\n" in name:
            raise StorageError(400, "invalid", "Invalid object name.")
        made = Object(name, data, 0, metadata)
        self._check_hash("CRC32C", metadata.get("crc32c"), made.crc32c)
        self._check_hash("MD5", metadata.get("md5Hash"), made.md5)
        with self._lock:
            self._place(bucket, made, conditions)
        return made

    def compose(self, bucket, name, sources, metadata, conditions):
        """Creates a new generation from `sources`: (name, generation, conditions) each."""
        if not 1 <= len(sources) <= MAX_COMPONENTS:
            raise StorageError(400, "invalid", "The number of source components provided "
                                               f"({len(sources)}) is not between 1 and 32.")
        with self._lock:
            found = []
            for source, generation, source_conditions in sources:
                each = self._objects(bucket).get(source)
                if each is None or generation not in (None, str(each.generation)):
                    raise StorageError(404, "notFound", f"No such object: {bucket}/{source}")
                check_conditions(source_conditions, each)
                found.append(each)
            made = Object(name, b"".join(bytes(each.data) for each in found), 0, metadata)
            made.components = sum(each.components or 1 for each in found)
            self._place(bucket, made, conditions)
        return made

    def _place(self, bucket, made, conditions):
        objects = self._objects(bucket)
        check_conditions(conditions, objects.get(made.name))
        if made.name in objects:
            self.require("storage.objects.delete")
            check_kept(objects[made.name])
        self._generation += 1
        made.generation = self._generation
        made.kept = dict(self.new_kept.get(bucket, {}))
        objects[made.name] = made

    @staticmethod
    def _check_hash(kind, said, real):
        if said and said != real:
            raise StorageError(400, "invalid", f'Provided {kind} hash "{said}" doesn\'t match '
                                               f'calculated {kind} hash "{real}".')

    def delete(self, bucket, name, generation, conditions):
        with self._lock:
            objects = self._objects(bucket)
            found = objects.get(name)
            if found is None or generation not in (None, str(found.generation)):
                raise StorageError(404, "notFound", f"No such object: {bucket}/{name}")
            check_conditions(conditions, found)
            check_kept(found)
            del objects[name]

    def start_session(self, *arguments):
        session = Session(*arguments)
        with self._lock:
            self._objects(session.bucket)
            self._sessions[session.id] = session
            self.session_ids.append(session.id)
        return session

    def session(self, session_id):
        with self._lock:
            return self._sessions.get(session_id)

    def end_session(self, session_id):
        with self._lock:
            self._sessions.pop(session_id, None)

    def finish_session(self, session):
        """Call after the last byte: creates the object, or ends the session with an error."""
        try:
            session.object = self.insert(session.bucket, session.name, session.data,
                                         session.metadata, session.conditions)
        except StorageError:
            self.end_session(session.id)
            raise


def check_kept(found):
    """Raises an error if a hold or a retention policy keeps the object."""
    if found.kept.get("temporaryHold") or found.kept.get("eventBasedHold"):
        raise StorageError(403, "objectUnderActiveHold", (
            f"Object '{found.name}' is under active Temporary hold and cannot be deleted, "
            "overwritten or archived until hold is removed."))
    if "retentionExpirationTime" in found.kept:
        raise StorageError(403, "retentionPolicyNotMet", (
            f"Object '{found.name}' is subject to bucket's retention policy and cannot be "
            f"deleted, overwritten or archived until {found.kept['retentionExpirationTime']}"))


def check_conditions(conditions, found):
    """`conditions` are the if... parameters; `found` is the live object or None."""
    generation = str(found.generation) if found else "0"
    metageneration = "1" if found else "0"
    for key, live in (("ifGenerationMatch", generation),
                      ("ifMetagenerationMatch", metageneration)):
        if key in conditions and conditions[key] != live:
            raise StorageError(412, "conditionNotMet", "At least one of the pre-conditions you "
                                                       "specified did not hold.")
    for key, live in (("ifGenerationNotMatch", generation),
                      ("ifMetagenerationNotMatch", metageneration)):
        if key in conditions and conditions[key] == live:
            raise StorageError(304, "notModified", "Not Modified")
