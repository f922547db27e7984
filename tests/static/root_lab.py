"""Makes a root directory with the binary and little else, and runs the binary in it."""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from enter_root import SYSTEM_CALLS
from harness import BINARY, MARK, Lab, LabTest, remove_tree

ENTER = str(pathlib.Path(__file__).with_name("enter_root.py"))
BUSYBOX = "/bin/busybox"
TOOLS = ("cat", "cp", "tr", "wc", "ls", "true", "sleep", "id")
# System calls that Linux 4.14 lacks and that a strict seccomp profile forbids.
NEWER_CALLS = sorted(SYSTEM_CALLS)


@functools.cache
def why_not(needs_mounts):
    """The reason why this machine cannot make such roots, or ""."""
    wish = {"root": "/", "mounts": {"/tmp": "/tmp"} if needs_mounts else {}}
    done = subprocess.run([sys.executable, ENTER, json.dumps(wish), "/bin/true"],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    reason = (done.stderr.strip().splitlines() or ["?"])[-1]
    return f"{'mount' if needs_mounts else 'chroot'} is not allowed here ({reason})"


class RootLab(Lab):
    """A lab in the directory /w of its own root.

    `wish`: more keys for enter_root.py. The worker's paths begin with /w, ours do not.
    """

    def __init__(self, shell=True, **wish):
        self.root = tempfile.mkdtemp(prefix="root-")
        os.chmod(self.root, 0o755)
        os.mkdir(f"{self.root}/w")
        super().__init__(f"{self.root}/w")
        self.wish = {"root": self.root, **wish}
        self.environment = {"PATH": "/bin"}
        self.add(BINARY, "/w/consume", 0o755)
        if shell:
            self.add(BUSYBOX, BUSYBOX, 0o755)
            for tool in ("sh", *TOOLS):
                os.symlink("busybox", f"{self.root}/bin/{tool}")

    def add(self, source, path, mode=0o644):
        """Copies a file of this machine into the root."""
        target = pathlib.Path(self.root + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        target.chmod(mode)

    def mount(self, path):
        """Mounts a directory of this machine into the root, at the same path."""
        os.makedirs(self.root + path, exist_ok=True)
        self.wish.setdefault("mounts", {})[path] = path

    def inside(self, path):
        """The worker's name of a path."""
        return str(path).removeprefix(self.root)

    def url(self, path):
        return f"file:///w/store/{path}"

    def read(self, url):
        return super().read(url.replace("file://", f"file://{self.root}"))

    def own_all(self):
        """Makes the worker's user the owner of all files in /w."""
        uid = self.wish.get("uid", 0)
        for directory, directories, files in os.walk(self.directory):
            for name in (".", *directories, *files):
                os.lchown(os.path.join(directory, name), uid, uid)

    def start(self, *arguments, program="/w/consume", environment=None, **popen):
        wish = {**self.wish, "environment": {**self.environment, **(environment or {}),
                                             MARK: str(self.directory)}}
        if self.wish.get("uid"):
            self.own_all()
        return super().start(ENTER, json.dumps(wish), program, *map(self.inside, arguments),
                             program=sys.executable, **popen)

    def close(self):
        super().close()
        remove_tree(self.root)


class RootTest(LabTest):
    """A test in its own root directory, which `make` creates."""

    def setUp(self):
        pass

    def make(self, needs_mounts=False, **wish):
        reason = why_not(needs_mounts or bool(wish.get("read_only")))
        if reason:
            self.skipTest(reason)
        if wish.get("uid") and os.getuid() != 0:
            self.skipTest("only root can become another user")
        self.lab = RootLab(**wish)
        self.addCleanup(self.lab.close)
        return self.lab
