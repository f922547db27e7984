"""Tests of hostile clients of the Monitor: the worker and its task continue in little memory."""
import gzip
import os
import pathlib
import random
import re
import ssl
import time
import unittest

from harness import SANITIZED, wait_until
from monitor_lab import SECRET, MonitorTest, RudeReader, varint

# Limit on the growth of the worker's memory in one test, for all threads and buffers together.
MAX_GROWTH = 64 << 20
BIG = 2_000_000  # bytes of a log


class RudeTest(MonitorTest):
    def setUp(self):
        super().setUp()
        # The ticks of this task show that it still runs.
        self.start_task(f"head -c {BIG} /dev/zero | tr '\\0' x; echo\n"
                        "(i=0; while sleep 0.05; do i=$((i+1)); echo tick $i; done) &")
        self.watcher = self.client()
        wait_until(lambda: self.ticks() >= 1, "the task runs")
        self.memory = self.resident()

    def ticks(self):
        reply = self.watcher.read("job.1", BIG).reply or {"data": ""}
        return reply["data"].count("tick")

    def resident(self, which="VmRSS"):
        status = pathlib.Path(f"/proc/{self.worker.pid}/status").read_text(encoding="ascii")
        return int(re.search(which + r":\s+(\d+) kB", status)[1]) * 1024

    def assert_unaffected(self):
        """The task still prints, the Monitor answers, and memory has not grown much."""
        before = self.ticks()
        wait_until(lambda: self.ticks() > before, "the task still prints")
        if not SANITIZED:
            self.assertLess(self.resident("VmHWM") - self.memory, MAX_GROWTH)  # the peak

    def keep(self, thing):
        self.addCleanup(thing.close)
        return thing


class RudeConnectionsTest(RudeTest):
    def test_idle_connections_are_tolerated(self):
        for _ in range(200):
            self.keep(RudeReader(self.lab))
        self.assert_unaffected()
        self.end()

    def test_half_open_tls_is_tolerated(self):
        hello = ssl.MemoryBIO()
        unfinished = self.lab.tls_context().wrap_bio(ssl.MemoryBIO(), hello)
        with self.assertRaises(ssl.SSLWantReadError):
            unfinished.do_handshake()
        hello = hello.read()
        for i in range(100):
            link = self.keep(self.lab.connect())
            link.sendall(hello[:i * len(hello) // 100] if i % 2 else hello)
        self.assert_unaffected()
        self.end()

    def test_garbage_is_tolerated(self):
        noise = random.Random(6)
        for i in range(60):
            link = self.keep(self.lab.connect() if i % 2 else self.lab.connect_tls())
            try:
                link.sendall(noise.randbytes(noise.choice([1, 100, 10_000])))
                if i % 3 == 0:
                    link.close()
            except OSError:
                pass  # the worker closed the connection, as it should
        self.assert_unaffected()
        self.assertNotIn("handshake", self.worker.stderr.lower())
        self.end()

    def test_excess_connections_are_tolerated(self):
        for _ in range(400):
            try:
                self.keep(self.lab.connect())
            except OSError:
                pass
        self.assert_unaffected()
        self.assertLess(len(os.listdir(f"/proc/{self.worker.pid}/fd")), 330)
        self.end()


class RudeCallsTest(RudeTest):
    # CVE-2023-1428: gRPC aborts when it encodes metadata of load balancers' clients.
    def test_unencodable_metadata_is_tolerated(self):
        for name in ("grpclb_client_stats", "lb-cost-bin", "lb-token", "endpoint-load-metrics-bin"):
            stranger = self.keep(RudeReader(self.lab))
            stranger.send(RudeReader.HEADERS, RudeReader.END_HEADERS | RudeReader.END_STREAM,
                          RudeReader.header_block(**{name: "x"}))
            self.assertTrue(stranger.socket.recv(100))
            self.assert_unaffected()
        self.end()

    def test_ten_thousand_calls_are_answered(self):
        # Replies of 2,000 bytes keep the client far below the limit in monitor/open_sockets.h.
        answer = self.watcher.read("job.1", 0, 2000, times=9000)
        self.assertEqual(answer.code, "OK")
        self.assertEqual(self.watcher.status(times=1000).code, "OK")
        self.assert_unaffected()
        self.end()

    # CVE-2023-33953: gRPC limits each frame only. Without a limit the headers would take 1.2 GB.
    def test_endless_headers_take_little_memory(self):
        piece = b"\0\5x-aaa\x7f\x81\x7c" + b"y" * 16_000
        for _ in range(4):
            self.flood(RudeReader.header_block(), piece, 20_000)
        self.assert_unaffected()
        self.end()

    def test_gibibyte_header_takes_little_memory(self):
        for _ in range(4):
            begin = b"\0\1a\x7f" + varint((1 << 30) - 127)
            self.flood(RudeReader.header_block() + begin, b"y" * 16_000, 20_000)
        self.assert_unaffected()
        self.end()

    # Without a limit each message would take 64 MB for a moment.
    def test_compression_bomb_is_refused(self):
        bomb = gzip.compress(b"\x0a" + varint(64_000_000) + bytes(64_000_000), 1)[:60_000]
        for _ in range(3):
            reader = self.keep(RudeReader(self.lab))
            reader.send(RudeReader.HEADERS, RudeReader.END_HEADERS, RudeReader.header_block(
                **{"shared-secret": SECRET, "grpc-encoding": "gzip"}))
            message = b"\1" + len(bomb).to_bytes(4, "big") + bomb
            for at in range(0, len(message), 16_000):
                reader.send(RudeReader.DATA, 0, message[at:at + 16_000])
            answer = b""
            while b"grpc-status" not in answer:
                answer += reader.socket.recv(1000)
            self.assertIn(b"grpc-status\x0212", answer)  # UNIMPLEMENTED
        self.assert_unaffected()
        self.end()

    def flood(self, begin, piece, times):
        """Sends headers without a secret, until the worker closes the connection."""
        stranger = self.keep(RudeReader(self.lab))
        stranger.socket.settimeout(2)
        stranger.send(RudeReader.HEADERS, 0, begin)
        with self.assertRaises(OSError):
            for _ in range(times):
                stranger.send(RudeReader.CONTINUATION, 0, piece)
                time.sleep(0.001)  # gives the worker's thread time to notice on a busy machine

    # Without a limit the readers would take 480 MB.
    def test_idle_readers_take_little_memory(self):
        for _ in range(30):
            reader = self.keep(RudeReader(self.lab))
            for _ in range(16):
                reader.ask("job.1", 1 << 20)
        self.assert_unaffected()
        self.end()

    def test_wrong_secrets_take_little_memory(self):
        for _ in range(10):
            stranger = self.keep(RudeReader(self.lab))
            for i in range(300):
                try:
                    stranger.ask("job.1", 1 << 20, secret=f"{SECRET}{i}"[:120])
                except OSError:
                    break
        self.assert_unaffected()
        self.end()


if __name__ == "__main__":
    unittest.main()
