"""Passes Datastore's requests on to the real emulator, where tests count and disturb them."""
import http.client
import re

from .wire import Response

METHOD = re.compile(r"/v1/projects/[^/:]+:(\w+)")
KEPT = ("content-type", "content-encoding")


class Datastore:
    """`address` is the emulator's host:port, or None. Thread-safe."""

    def __init__(self, address):
        self.address = address

    def route(self, request):
        """(kind, handler) or None."""
        if self.address is None:
            return None
        match = METHOD.fullmatch(request.path)
        if match:
            return f"datastore.{match[1]}", lambda: self.forward(request)
        if request.path in ("/", "/reset", "/shutdown"):
            return f"datastore.{request.path}", lambda: self.forward(request)
        return None

    def forward(self, request):
        body = request.read()
        headers = {"Content-Type": request.headers.get("content-type", "")}
        for last_try in (False, True):
            link = request.connection.onward
            if link is None:
                link = http.client.HTTPConnection(self.address, timeout=60)
                request.connection.onward = link
            try:
                # Only the connection is retried: the emulator must not get a commit twice.
                link.request(request.method, request.target, body, headers)
                break
            except OSError:
                link.close()
                if last_try:
                    return Response(502, b"the emulator does not accept connections")
        try:
            answer = link.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            link.close()
            return Response(502, b"the emulator closed the connection")
        response = Response(answer.status, text)
        response.headers = {name: value for name, value in answer.getheaders()
                            if name.lower() in KEPT}
        return response
