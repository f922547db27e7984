"""A small name server over UDP and TCP that can answer with errors or stay silent."""
import ipaddress
import socket
import struct
import threading

ADDRESS = "127.0.0.9"  # no other server listens there
TYPES = {1: "A", 28: "AAAA"}
NXDOMAIN, REFUSED, SERVFAIL = 3, 5, 2
ERRORS = {"NXDOMAIN": NXDOMAIN, "REFUSED": REFUSED, "SERVFAIL": SERVFAIL}
LONGEST_DATAGRAM = 512  # bytes of an answer without EDNS (RFC 1035)
TRUNCATED = 0x0200


class NameServer:
    """Answers at `address`, port 53, until close(). Raises PermissionError if that is not allowed.

    records  {name: [address, ...]}, or a list of names that are all at 127.0.0.1
    answers  {"A" or "AAAA": "silent" or one of ERRORS}: replaces the answer to such questions
    asked    the names in the order of the questions; over_tcp: number of questions over TCP
    """

    def __init__(self, records, address=ADDRESS, answers=None):
        if not isinstance(records, dict):
            records = {name: ["127.0.0.1"] for name in records}
        self.records = records
        self.answers = answers or {}
        self.asked = []
        self.over_tcp = 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._datagrams = socket.socket(family, socket.SOCK_DGRAM)
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._datagrams.bind((address, 53))
        self._listener.bind((address, 53))
        self._listener.listen()
        self._threads = [threading.Thread(target=serve)
                         for serve in (self._serve_datagrams, self._serve_connections)]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._datagrams.sendto(b"", self._datagrams.getsockname())  # ends the thread
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._datagrams.close()
        self._listener.close()

    def _serve_datagrams(self):
        while True:
            question, client = self._datagrams.recvfrom(2000)
            if not question:
                return
            answer = self._answer(question)
            if answer and len(answer) > LONGEST_DATAGRAM:
                [flags] = struct.unpack_from(">H", answer, 2)
                head = answer[:2] + struct.pack(">HHHHH", flags | TRUNCATED, 1, 0, 0, 0)
                answer = head + question[12:self._question_end(question)]
            if answer:
                self._datagrams.sendto(answer, client)

    def _serve_connections(self):
        """Serves one connection at a time, with one question each."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # shut down
            with connection, connection.makefile("rb") as stream:
                connection.settimeout(10)
                try:
                    while length := stream.read(2):
                        self.over_tcp += 1
                        answer = self._answer(stream.read(struct.unpack(">H", length)[0]))
                        if answer:
                            connection.sendall(struct.pack(">H", len(answer)) + answer)
                except OSError:
                    pass  # the client went away

    @staticmethod
    def _question_end(message):
        at = 12
        while message[at]:
            at += 1 + message[at]
        return at + 5

    def _answer(self, message):
        """Returns None if the message has no question."""
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode("ascii"))
            at += 1 + message[at]
        name = ".".join(labels).lower()
        self.asked.append(name)
        end = self._question_end(message)
        [number] = struct.unpack_from(">H", message, end - 4)
        answer = self.answers.get(TYPES.get(number))
        if answer == "silent":
            return None
        error = ERRORS[answer] if answer else 0 if name in self.records else NXDOMAIN
        records = [] if error else [self._record(number, each) for each in self.records[name]
                                    if ("AAAA" if ":" in each else "A") == TYPES.get(number)]
        head = message[:2] + struct.pack(">HHHHH", 0x8180 | error, 1, len(records), 0, 0)
        return head + message[12:end] + b"".join(records)

    @staticmethod
    def _record(number, address):
        """A record for the question's name, class IN, valid for a minute."""
        data = ipaddress.ip_address(address).packed
        return struct.pack(">HHHIH", 0xC00C, number, 1, 60, len(data)) + data


class SilentServer:
    """Receives questions at `address`, port 53, and never answers."""

    def __init__(self, address):
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((address, 53))

    def close(self):
        self._datagrams.close()
