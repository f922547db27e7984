"""Makes a worker hang, by a mount whose server never answers, or by a stopped main thread."""
import ctypes
import os
import pathlib
import struct
import threading
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_MNT_FORCE, _MNT_DETACH = 1, 2
# FUSE: <linux/fuse.h>
_REQUEST = struct.Struct("<IIQ")  # length, opcode, unique; 40 bytes with what follows
_REQUEST_BYTES = 40
_FUSE_LOOKUP, _FUSE_INIT = 1, 26
_MAX_REQUEST = 1 << 17
# ptrace(2)
_PTRACE_SEIZE, _PTRACE_INTERRUPT, _PTRACE_DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class HungMount:
    """A FUSE file system at `path` that never answers a look-up. A process that opens a file there
    waits until `close`, and even KILL does not end it. Raises OSError if the machine does not
    allow FUSE."""

    def __init__(self, path):
        self.path = str(path)
        self.asked = False  # True: a process hangs
        self._closed = False
        os.makedirs(path, exist_ok=True)
        self._fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
        try:
            _check(_LIBC.mount(b"hung", self.path.encode(), b"fuse", 0, options.encode()), "mount")
        except OSError:
            os.close(self._fd)
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                request = os.read(self._fd, _MAX_REQUEST)
            except OSError:
                return  # unmounted
            _, opcode, unique = _REQUEST.unpack_from(request)
            if opcode == _FUSE_INIT:
                _, minor = struct.unpack_from("<II", request, _REQUEST_BYTES)
                body = struct.pack("<IIIIHHIIHHI", 7, minor, 0, 0, 1, 1, 4096, 1, 0, 0, 0)
                body += bytes(28)
                os.write(self._fd, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
            self.asked = self.asked or opcode == _FUSE_LOOKUP

    def close(self):
        """Ends all requests that hang."""
        if self._closed:
            return
        self._closed = True
        _LIBC.umount2(self.path.encode(), _MNT_FORCE)  # may say "busy", but ends all requests
        _LIBC.umount2(self.path.encode(), _MNT_DETACH)
        self._thread.join(10)
        os.close(self._fd)


class FrozenMainThread:
    """Stops only the main thread of a child process, until `close` or its death. One thread must
    make and close the object. Raises OSError if the machine does not allow ptrace."""

    def __init__(self, pid):
        self._pid = pid
        _check(_LIBC.ptrace(_PTRACE_SEIZE, pid, None, None), "ptrace")
        _check(_LIBC.ptrace(_PTRACE_INTERRUPT, pid, None, None), "ptrace")
        os.waitpid(pid, _WALL)
        while "t" not in pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(
                ") ")[2][:1]:
            time.sleep(0.01)

    def close(self):
        _LIBC.ptrace(_PTRACE_DETACH, self._pid, None, None)
