"""A Google Cloud on one port of the loopback interface: storage, metadata, tokens, Datastore.

It follows Google's documented behaviour and not our client, and each request can get a fault (see
faults.py). It also acts as a proxy for the real hosts: a client with this server as its HTTPS_PROXY
that trusts the server's certificate takes it for storage.googleapis.com.
"""
import email.utils
import json
import socket
import ssl
import threading
import time

from .datastore import Datastore
from .faults import Faults
from .gcs import ObjectsApi, error
from .metadata import CLOUD_PLATFORM, Metadata
from .oauth import OAuth, Tokens, api_error
from .objects import Storage, StorageError
from .ports import free_port
from .uploads import UploadsApi
from .wire import Connection, Cut, Response, flipped, strike

STORAGE_SCOPES = [CLOUD_PLATFORM, "https://www.googleapis.com/auth/devstorage.read_write",
                  "https://www.googleapis.com/auth/devstorage.full_control"]
DATASTORE_SCOPES = [CLOUD_PLATFORM, "https://www.googleapis.com/auth/datastore"]
REAL_HOSTS = "googleapis.com"
KEPT_BODY = 1 << 20  # bytes of a request's body that are kept for tests


class Server:
    """`port` 0 chooses a free one. `certificate`: (certificate file, key file) for the real hosts.
    `host`: the numeric address to listen on, IPv4 or IPv6."""

    def __init__(self, port=0, emulator=None, certificate=None, latency=0.0, host="127.0.0.1"):
        self.storage = Storage()
        self.tokens = Tokens()
        self.oauth = OAuth(self.tokens)
        self.metadata = Metadata(self.tokens)
        self.datastore = Datastore(emulator)
        self.faults = Faults()
        self.latency = latency  # seconds added to each response
        self.needs_token = False  # also for requests to an emulator's address
        self.objects_api = ObjectsApi(self.storage)
        self._services = [self.objects_api, UploadsApi(self.storage, self.objects_api), self.oauth,
                          self.metadata, self.datastore]
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._lock = threading.Lock()
        self._connections = set()
        self._requests = []
        self.port = port or free_port()
        self.host = host
        self._listener = self._listen()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self._accept()

    # --- for tests

    def requests(self, kind=None):
        """All requests so far, or those of one kind, in the order of arrival."""
        with self._lock:
            return [request for request in self._requests if kind in (None, request.kind)]

    def forget(self):
        with self._lock:
            self._requests.clear()

    def open_connections(self):
        with self._lock:
            return len(self._connections)

    # --- up and down

    def _listen(self):
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(512)
        return listener

    def _accept(self):
        threading.Thread(target=self._accept_loop, args=(self._listener,), daemon=True).start()

    def go_down(self, seconds=None):
        """Cuts all connections and refuses new ones, for `seconds` or until come_back()."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.cut()
        if seconds is not None:
            threading.Timer(seconds, self.come_back).start()

    def come_back(self):
        if self._listener is None:
            self._listener = self._listen()
            self._accept()

    def close(self):
        self.go_down()

    # --- serving

    def _accept_loop(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(Connection(sock),), daemon=True).start()

    def _serve(self, connection):
        with self._lock:
            self._connections.add(connection)
        fin = True
        try:
            while (request := connection.read_request()) is not None:
                if self._exchange(connection, request):
                    break
        except Cut as cut:
            fin = cut.fin
        except ValueError as problem:
            connection.send(Response(400, str(problem).encode()))
        except OSError:
            pass  # the client closed the connection
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close(fin)

    def _exchange(self, connection, request):
        """Answers one request; True if the connection must end after it."""
        if request.method == "CONNECT":
            return self._become_real_host(connection, request)
        request.trusted = isinstance(connection.sock, ssl.SSLSocket)
        request.kind, handler = self._route(request)
        request.rule = self.faults.take(request)
        with self._lock:
            self._requests.append(request)
        if self.latency:
            time.sleep(self.latency)
        response = self._respond(request, handler)
        request.drain()
        if request.body is not None and len(request.body) > KEPT_BODY:
            request.body = b""
        if request.headers.get("connection", "").lower() == "close":
            response.close = True
        response.headers.setdefault("Date", email.utils.formatdate(usegmt=True))
        request.status = response.status
        connection.send(response, request.rule, head_only=request.method == "HEAD")
        return response.close

    def _become_real_host(self, connection, request):
        host = request.target.partition(":")[0]
        known = self._tls is not None and host.endswith(REAL_HOSTS)
        connection.send(Response(200 if known else 403), head_only=known)
        if known:
            connection.wrap(self._tls)
        return not known

    def _route(self, request):
        if request.path.startswith("/_"):
            return "control", lambda: self._control(request)
        for service in self._services:
            if found := service.route(request):
                return found
        return "unknown", lambda: Response(404, b"Not Found")

    def _respond(self, request, handler):
        rule = request.rule
        if rule is not None and not rule.get("apply"):
            instead = self._strike_before(rule, request)
            if instead is not None:
                return instead
        response = self._refusal(request)
        if response is None:
            try:
                response = handler()
            except StorageError as failure:
                response = error(request, failure)
        return response if rule is None else self._strike_after(rule, request, response)

    def _refusal(self, request):
        real = request.host.endswith(REAL_HOSTS)
        service, _, _ = request.kind.partition(".")
        if not (real or self.needs_token) or service not in ("object", "upload", "bucket",
                                                             "datastore"):
            return None
        if service == "upload" and "upload_id" in request.query:
            return None  # the session's URI needs no token
        return self.tokens.refusal(request, DATASTORE_SCOPES if service == "datastore"
                                   else STORAGE_SCOPES)

    # --- faults

    def _strike_before(self, rule, request):
        """A response that replaces the execution of the request, or None."""
        marked = rule.get("request_bytes") is not None or rule.get("response_bytes") is not None
        if rule.action == "stall" and not marked:
            request.read()  # the request is executed later
            strike(rule)
        if rule.action == "cut" and not marked:
            request.drain()
            strike(rule)
        if rule.action == "corrupt" and rule.get("side") == "request":
            request.body = flipped(request.read(), rule["offset"])
        if rule.action == "expire":
            self.storage.end_session(request.query.get("upload_id"))
            return Response(rule.get("code", 404), b"")
        if rule.action == "status":
            return self._status(rule)
        if rule.action == "garbage":
            request.drain()
            request.connection.sock.sendall(rule.get("text", "SSH-2.0-not HTTP\r\n").encode())
            raise Cut(fin=True)
        return None

    @staticmethod
    def _status(rule):
        body = rule.get("body", f"a fault made this {rule['code']}")
        if isinstance(body, str):
            response = Response(rule["code"], body.encode())
        else:
            response = Response.json(body, rule["code"])
        if rule.get("retry_after") is not None:
            response.headers["Retry-After"] = str(rule["retry_after"])
        response.headers.update(rule.get("headers", {}))
        return response

    def _strike_after(self, rule, request, response):
        """Changes the response to a request that was executed."""
        if rule.action == "status":
            return self._status(rule)
        if rule.action == "cut" and rule.get("apply"):
            request.drain()
            strike(rule)
        body = response.body
        if rule.action == "truncate":
            response.length = rule["bytes"] if rule.get("honest") else len(body)
            response.body = memoryview(body)[:rule["bytes"]]
            response.close = response.length != len(response.body)
        elif rule.action == "corrupt" and rule.get("side") != "request":
            response.body = flipped(body, rule["offset"])
        elif rule.action == "headers":
            self._replace_headers(response, rule["set"])
        elif rule.action == "json":
            response.body = json.dumps({**json.loads(bytes(body)), **rule["set"]}).encode()
        return response

    @staticmethod
    def _replace_headers(response, changes):
        lower = {name.lower() for name in changes}
        response.headers = {name: value for name, value in response.headers.items()
                            if name.lower() not in lower}
        response.more_headers = [(name, value) for name, value in response.more_headers
                                 if name.lower() not in lower]
        response.headers.update({name: str(value) for name, value in changes.items()
                                 if value is not None})

    # --- control by HTTP, for use as a program

    def _control(self, request):
        asked = json.loads(request.read() or b"{}")
        if request.path == "/_faults" and request.method == "DELETE":
            self.faults.clear()
        elif request.path == "/_faults" and request.method == "POST":
            try:
                for rule in asked if isinstance(asked, list) else [asked]:
                    self.faults.add(**rule)
            except ValueError as problem:
                return api_error(400, "INVALID_ARGUMENT", str(problem))
        elif request.path == "/_down" and request.method == "POST":
            threading.Timer(0.1, self.go_down, [asked.get("seconds", 5)]).start()
        elif request.path == "/_metadata" and request.method == "POST":
            for path, value in asked.items():
                self.metadata.set(path, value)
        elif request.path == "/_requests":
            return Response.json([
                {"kind": each.kind, "method": each.method, "target": each.target,
                 "status": each.status, "body_bytes": each.body_bytes}
                for each in self.requests() if each.kind != "control"])
        elif request.path != "/_faults":
            return Response(404, b"/_faults /_down /_metadata /_requests")
        return Response.json([json.loads(rule.text()) for rule in self.faults.rules()])
