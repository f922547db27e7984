"""Runs the Datastore emulator of the Cloud SDK."""
import ctypes
import http.client
import pathlib
import shutil
import signal
import subprocess
import time

from .ports import free_port

JAR = "platform/cloud-datastore-emulator/CloudDatastore.jar"
PACKAGE = "google-cloud-cli-datastore-emulator"
BOOT_SECONDS = 180
PR_SET_PDEATHSIG = 1


def find_jar():
    """The path of the emulator's jar in the SDK of Debian's package or of gcloud, or None."""
    directories = []
    if shutil.which("dpkg"):
        listed = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True,
                                check=False)
        directories += [line.removesuffix("/" + JAR) for line in listed.stdout.splitlines()
                    if line.endswith(JAR)]
    if gcloud := shutil.which("gcloud"):
        directories.append(pathlib.Path(gcloud).resolve().parent.parent)
    jars = (pathlib.Path(directory, JAR) for directory in directories)
    return next((jar for jar in jars if jar.exists()), None)


def why_not():
    """One line with the missing requirement, or ""."""
    if shutil.which("java") is None:
        return "the Datastore emulator needs java (package default-jre-headless)"
    if find_jar() is None:
        return f"the Datastore emulator is not installed (package {PACKAGE})"
    return ""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(address, lives=lambda: True):
    """Waits until an emulator answers at `address`; RuntimeError after a timeout."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and lives():
        link = http.client.HTTPConnection(address, timeout=30)
        try:
            # Sends a real query, because the first query is slow and would otherwise delay a test.
            link.request("POST", "/v1/projects/warm-up:runQuery",
                         '{"query": {"kind": [{"name": "Nothing"}]}}',
                         {"Content-Type": "application/json"})
            if link.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        finally:
            link.close()
    raise RuntimeError(f"no Datastore emulator answers at {address}")


class Emulator:
    """`directory` keeps its files. With `keep` the entities survive stop() and start(). Without
    `wait` the constructor does not wait for the start; see wait_for().

    Start it from the main thread: the kernel kills it when the thread that started it ends.
    """

    def __init__(self, directory, keep=False, wait=True):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._keep = keep
        self._process = None
        self.start(wait)

    def start(self, wait=True):
        (self.directory / "data" / "WEB-INF").mkdir(parents=True, exist_ok=True)
        with open(self.directory / "emulator.log", "ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                 str(find_jar()), "com.google.cloud.datastore.emulator.CloudDatastore", "start",
                 "--host=127.0.0.1", f"--port={self.port}", "--consistency=1.0",
                 f"--store_on_disk={'true' if self._keep else 'false'}", "data"],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent)
        if wait:
            self._wait()

    def _wait(self):
        try:
            wait_for(self.address, lambda: self._process.poll() is None)
        except RuntimeError as error:
            self.stop()
            log = (self.directory / "emulator.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{error}:\n{log[-4000:]}") from None

    def stop(self):
        """Ends the emulator; with `keep` it saves its entities first."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
