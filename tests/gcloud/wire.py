"""HTTP/1.1 on the wire: reads a request, writes a response, and applies faults to the bytes.

The handler reads a body in pieces, so that a fault can strike in the middle of the body while the
pieces before it are kept.
"""
import json
import socket
import struct
import time
import urllib.parse

PIECE = 1 << 20
LONGEST_HEAD = 1 << 16
REASONS = {200: "OK", 206: "Partial Content", 308: "Resume Incomplete", 404: "Not Found"}


class Cut(Exception):
    """The connection must end now: with a reset, or (`fin`) with a normal end."""

    def __init__(self, fin=False):
        super().__init__("cut")
        self.fin = fin


class Request:
    """`target` is unchanged, `path` is its part before "?", still encoded; `query` is decoded."""

    def __init__(self, connection, method, target, headers):
        self.connection = connection
        self.method = method
        self.target = target
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = headers  # names in lower case
        self.kind = ""  # set by the router
        self.rule = None  # the fault that strikes this request
        self.status = None  # the status of the response; None without one
        self.time = time.time()
        self.body_bytes = 0  # number of received bytes
        self.body = None  # after read()
        self.trusted = False  # the client used the real host by TLS

    @property
    def host(self):
        return self.headers.get("host", "").partition(":")[0].lower()

    @property
    def base_url(self):
        scheme = "https" if self.trusted else "http"
        return f"{scheme}://{self.headers.get('host', '')}"

    def length(self):
        """The size of the body; None for a chunked body."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return None
        return int(self.headers.get("content-length") or 0)

    def pieces(self):
        """The body in pieces; stops where a rule cuts it."""
        if self.body is not None:
            yield self.body
            return
        rule = self.rule
        mark = rule.get("request_bytes") if rule else None
        for piece in self.connection.body(self.length(), mark):
            self.body_bytes += len(piece)
            yield piece
            if mark is not None and self.body_bytes >= mark:
                mark = None
                strike(rule)

    def read(self):
        """The whole body."""
        if self.body is None:
            self.body = b"".join(self.pieces())
        return self.body

    def drain(self):
        """Reads and drops the rest of the body."""
        if self.body is None and not self.connection.body_done:
            for _ in self.pieces():
                pass


class Response:
    def __init__(self, status=200, body=b"", content_type="text/html; charset=UTF-8", **headers):
        self.status = status
        self.body = body  # bytes-like
        self.headers = {"Content-Type": content_type,
                        **{name.replace("_", "-"): str(value) for name, value in headers.items()}}
        self.more_headers = []  # (name, value) for names that occur twice
        self.length = None  # a false Content-Length, or None
        self.chunked = False
        self.close = False

    @classmethod
    def json(cls, value, status=200, **headers):
        text = json.dumps(value, indent=1).encode()
        return cls(status, text, "application/json; charset=UTF-8", **headers)


def flipped(data, offset):
    changed = bytearray(data)
    if offset < len(changed):
        changed[offset] ^= 0xFF
    return changed


def strike(rule):
    """Applies the fault at the marked byte."""
    time.sleep(rule.get("seconds", 0))
    if rule.action == "cut":
        raise Cut(fin=rule.get("how") == "fin")


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock):
        self.sock = sock
        self.body_done = True
        self.onward = None  # a relay's connection to its target
        self._buffer = b""

    def wrap(self, context):
        """Starts TLS, as the client of a proxy expects after CONNECT."""
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def cut(self):
        """Ends the connection from any thread. Keeps the descriptor open: if it were closed here,
        the serving thread could write TLS data to another file with the same number."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self, fin=True):
        """Closes the descriptor. Call only on the serving thread."""
        try:
            if not fin:
                linger = struct.pack("ii", 1, 0)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        if self.onward is not None:
            self.onward.close()

    def read_request(self):
        """The next request without its body, or None at the end of the connection."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > LONGEST_HEAD or not self._fill():
                return None
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4:]
        method, target, _version = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        request = Request(self, method, target, headers)
        self.body_done = request.length() == 0
        if "100-continue" in headers.get("expect", "").lower():
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request

    def body(self, length, mark):
        """Pieces of a body of that length (None: chunked); no piece crosses the byte `mark`."""
        if length is None:
            yield from self._chunks()
        else:
            done = 0
            while done < length:
                wanted = min(PIECE, length - done)
                if mark is not None and done < mark:
                    wanted = min(wanted, mark - done)
                piece = self._take(wanted)
                done += len(piece)
                yield piece
        self.body_done = True

    def send(self, response, rule=None, head_only=False):
        body = memoryview(response.body)
        head = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
        headers = dict(response.headers)
        if response.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif response.status not in (204, 304):
            length = response.length if response.length is not None else len(body)
            headers.setdefault("Content-Length", str(length))
        if response.close:
            headers["Connection"] = "close"
        head += [f"{name}: {value}" for name, value in headers.items()]
        head += [f"{name}: {value}" for name, value in response.more_headers]
        text = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        if head_only or response.status in (204, 304):
            self.sock.sendall(text)
            return
        if response.chunked:
            body = memoryview(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)) if len(body) else \
                memoryview(b"0\r\n\r\n")
        mark = rule.get("response_bytes") if rule else None
        if len(body) <= 1 << 14 and mark is None:
            self.sock.sendall(text + body)
            return
        self.sock.sendall(text)
        if mark is not None:
            self.sock.sendall(body[:mark])
            strike(rule)
            body = body[mark:]
        self.sock.sendall(body)

    def _fill(self):
        piece = self.sock.recv(1 << 16)
        self._buffer += piece
        return bool(piece)

    def _take(self, most):
        """Some bytes, up to this many. The end of the connection counts as a cut."""
        if self._buffer:
            piece, self._buffer = self._buffer[:most], self._buffer[most:]
            return piece
        piece = self.sock.recv(most)
        if not piece:
            raise Cut
        return piece

    def _line(self):
        while b"\r\n" not in self._buffer:
            if not self._fill():
                raise Cut
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _chunks(self):
        while size := int(self._line().partition(b";")[0], 16):
            while size:
                piece = self._take(min(size, PIECE))
                size -= len(piece)
                yield piece
            self._line()
        while self._line():
            pass  # trailers
