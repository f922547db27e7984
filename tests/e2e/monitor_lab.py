"""A cloud lab whose workers have a Monitor, with a standard client and hostile clients."""
import base64
import functools
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import types

from cloud_lab import CloudLab, CloudLabTest, value
from gcloud.ports import free_port
from harness import LANE, wait_until

SECRET = "a secret that all monitors of a cluster share"
PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
CLIENT = pathlib.Path(__file__).with_name("monitor_client.py")


@functools.cache
def grpc_python():
    """A Python with grpc and protobuf, or None. Debian's packages work only in Debian's Python."""
    for program in (sys.executable, "/usr/bin/python3", shutil.which("python3")):
        probe = [program, "-c", "import grpc, google.protobuf"]
        if program and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return program
    return None


def make_keys(directory, days=2):
    """Makes a certificate like that of `sparkles`: with CN=sparkles.server and no other name."""
    certificate, key = directory / "monitor.pem", directory / "monitor-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days),
                    "-subj", "/CN=sparkles.server", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


def blob(content):
    return {"blobValue": base64.b64encode(content).decode(), "excludeFromIndexes": True}


class MonitorClient:
    """The standard client, in a process of its own."""

    def __init__(self, lab, port):
        stubs = lab.directory / "stubs"
        if not stubs.exists():
            stubs.mkdir()
            subprocess.run(["protoc", f"-I{PROTO}", f"--python_out={stubs}", "monitor.proto"],
                           check=True)
        self.process = subprocess.Popen(
            [grpc_python(), CLIENT, f"localhost:{port}", lab.certificate_file, stubs],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"GRPC_VERBOSITY": "NONE", "PYTHONDONTWRITEBYTECODE": "1"})

    def call(self, method, request=None, metadata=(("shared-secret", SECRET),), **more):
        """Returns the result, with the attributes code, details, reply (a dict) and trailing."""
        order = {"method": method, "request": request or {}, "metadata": metadata, **more}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return types.SimpleNamespace(**json.loads(self.process.stdout.readline()))

    def read(self, task, offset=0, size=100_000, **more):
        return self.call("ReadOutput", {"taskId": task, "offset": offset, "size": size}, **more)

    def status(self, **more):
        return self.call("GetProcessStatus", **more)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class MonitorLab(CloudLab):
    def __init__(self, directory=None):
        super().__init__(directory)
        self.certificate_file, self.key_file = make_keys(self.directory)
        self.put_keys()
        self.port = free_port()

    def put_keys(self, **changes):
        """Writes the entity as `sparkles` does. `changes` replace properties; `...` removes one."""
        properties = {"cert": blob(self.certificate_file.read_bytes()),
                      "private_key": blob(self.key_file.read_bytes()),
                      "shared_secret": {**value(SECRET), "excludeFromIndexes": True}, **changes}
        self.datastore.put({"key": self.datastore.key("ClusterKeys", "sparklespray"),
                            "properties": {key: each for key, each in properties.items()
                                           if each is not ...}})

    def start_watched(self, *flags, **options):
        return self.start_consume("--localhost", "--port", self.port, *flags, **options)

    # --- connections of hostile clients

    def connect(self):
        return socket.create_connection(("localhost", self.port), timeout=20)

    def tls_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate has no SAN, which Python requires
        context.load_verify_locations(self.certificate_file)
        context.set_alpn_protocols(["h2"])
        return context

    def connect_tls(self):
        return self.tls_context().wrap_socket(self.connect())


class MonitorTest(CloudLabTest):
    """A test with a watched worker that runs the task "job.1" until the test ends it."""

    def setUp(self):
        if not grpc_python():
            self.skipTest("no Python with grpc (python3-grpcio) is here")
        if LANE == "tsan":
            self.skipTest("ThreadSanitizer does not know gRPC as Debian builds it")
        super().setUp()

    def make_lab(self):
        return MonitorLab()

    def start_task(self, command, *flags):
        """Starts a worker whose task runs `command` and then waits for `self.end`."""
        self.gate = self.lab.directory / "gate"
        script = f"{command}\nwhile [ ! -e {self.gate} ]; do sleep 0.02; done"
        self.lab.write_tasks([self.lab.task("job.1", script)])
        self.worker = self.lab.start_watched(*flags)
        self.wait_for_status("job.1", "claimed")
        return self.worker

    def end(self):
        """Ends the task and the worker, and checks that both succeed."""
        self.gate.touch()
        self.assertEqual(self.worker.wait().exit_code, 0, self.worker.stderr)
        self.assert_once(["job.1"], self.worker)

    def client(self):
        client = MonitorClient(self.lab, self.lab.port)
        self.addCleanup(client.close)
        return client

    def wait_for_output(self, client, task, text):
        wait_until(lambda: text in ((client.read(task).reply or {}).get("data", "")),
                   f"{task} has printed {text!r}")


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


class RudeReader:
    """An HTTP/2 connection that asks for logs but gives the server no window to send them."""

    DATA, HEADERS, SETTINGS, CONTINUATION = 0, 1, 4, 9
    END_STREAM, END_HEADERS = 1, 4
    NO_WINDOW = (4).to_bytes(2, "big") + (0).to_bytes(4, "big")  # SETTINGS_INITIAL_WINDOW_SIZE

    def __init__(self, lab):
        self.socket = lab.connect_tls()
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                            + frame(self.SETTINGS, 0, 0, self.NO_WINDOW))
        self.next_stream = 1

    def send(self, kind, flags, payload, stream=1):
        self.socket.sendall(frame(kind, flags, stream, payload))

    @staticmethod
    def header_block(**more):
        headers = {":method": "POST", ":scheme": "https", ":path": "/Monitor/ReadOutput",
                   ":authority": "sparkles.server", "content-type": "application/grpc",
                   "te": "trailers", **more}
        return b"".join(b"\0" + bytes([len(key)]) + key.encode() + bytes([len(text)])
                        + text.encode() for key, text in headers.items())

    def ask(self, task, size, secret=SECRET):
        block = self.header_block(**{"shared-secret": secret})
        message = b"\x0a" + varint(len(task)) + task.encode() + b"\x10" + varint(size)
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.socket.sendall(
            frame(self.HEADERS, self.END_HEADERS, stream, block)
            + frame(self.DATA, self.END_STREAM, stream,
                    b"\0" + len(message).to_bytes(4, "big") + message))

    def close(self):
        self.socket.close()
