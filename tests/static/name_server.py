"""The least of a name server: knows a few names of 127.0.0.1, and that there are no others."""
import socket
import struct
import threading

ADDRESS = "127.0.0.9"  # no other server listens there
TYPE_A, NXDOMAIN = 1, 3


class NameServer:
    """Answers on ADDRESS, port 53, until close(); raises PermissionError where that is not ours.
    `asked` has the names in the order of the questions."""

    def __init__(self, names):
        self.names = set(names)
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ADDRESS, 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())  # no question: the end
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            question, client = self._socket.recvfrom(2000)
            if not question:
                return
            self._socket.sendto(self._answer(question), client)

    def _answer(self, message):
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode("ascii"))
            at += 1 + message[at]
        name = ".".join(labels)
        self.asked.append(name)
        end = at + 5
        [type_] = struct.unpack_from(">H", message, at + 1)
        known = name in self.names
        record = b""
        if known and type_ == TYPE_A:  # the question's name, class IN, a minute
            record = struct.pack(">HHHIH", 0xC00C, TYPE_A, 1, 60, 4) + socket.inet_aton("127.0.0.1")
        flags = 0x8180 | (0 if known else NXDOMAIN)
        head = message[:2] + struct.pack(">HHHHH", flags, 1, 1 if record else 0, 0, 0)
        return head + message[12:end] + record
