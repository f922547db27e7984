"""Tests of `doctor` in a network whose names cannot be resolved, or whose hosts swallow packets."""
import os
import socket
import unittest

import private_network
from cloud_lab import HIDDEN
from doctor_lab import DoctorMixin
from harness import LabTest
from name_server import ADDRESS, NameServer, SilentServer

HOST = "storage.googleapis.com"
BOUND = 12.0  # seconds; docs/doctor.md promises an end within 21 s even if the disks hang, too

ETC = None


def setUpModule():
    global ETC
    ETC = private_network.enter_for_module()


class DoctorNetwork(DoctorMixin, LabTest):
    def setUp(self):
        super().setUp()
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        (ETC / "resolv.conf").write_text(f"nameserver {ADDRESS}\n", encoding="ascii")
        (ETC / "hosts").write_text("", encoding="ascii")

    def examine(self, **environment):
        """Runs `doctor` for a local run with a bucket, with a clean environment."""
        clean = {name: "" for name in os.environ if name.upper().startswith(HIDDEN)}
        return self.doctor("--bucket", "lab", seconds=BOUND,
                           environment={**clean, "NO_GCE_CHECK": "true", **environment})

    def serve(self, addresses, **options):
        server = NameServer({HOST: addresses}, **options)
        self.addCleanup(server.close)

    def test_dead_name_server_is_named(self):
        output = self.examine()
        self.assert_finding(output, "FAIL", HOST, "name cannot be resolved", "/etc/resolv.conf")
        self.assertRegex(output, f"(?m)^SKIP +gs://lab/: not checked: {HOST} cannot be reached")

    def test_silent_name_server_is_named_in_time(self):
        server = SilentServer(ADDRESS)
        self.addCleanup(server.close)
        credentials = self.lab.directory / "user.json"
        credentials.write_text('{"type": "authorized_user", "client_id": "a", "client_secret": "b",'
                               ' "refresh_token": "c"}', encoding="ascii")
        output = self.examine(GOOGLE_APPLICATION_CREDENTIALS=str(credentials))
        self.assert_finding(output, "FAIL", HOST, "name cannot be resolved", "/etc/resolv.conf")
        self.assertRegex(output, "(?m)^FAIL +credentials: ")

    def test_unknown_name_is_named(self):
        self.serve([], answers={"A": "NXDOMAIN", "AAAA": "NXDOMAIN"})
        self.assert_finding(self.examine(), "FAIL", HOST, "name cannot be resolved",
                            "/etc/resolv.conf")

    def test_closed_port_is_named(self):
        self.serve(["127.0.0.1"])
        self.assert_finding(self.examine(), "FAIL", HOST, "IPv4: .*refused",
                            f"allow connections to {HOST} port 443")

    def test_swallowed_packets_are_named_in_time(self):
        self.serve(["127.0.0.1", "::1"])
        self.fill_backlog(socket.create_server(("127.0.0.1", 443), backlog=0))
        output = self.examine()
        self.assert_finding(output, "FAIL", HOST, "IPv4: .*no connection within",
                            f"allow connections to {HOST} port 443")

    def test_silent_server_is_named_in_time(self):
        self.serve(["127.0.0.1"])
        listener = socket.create_server(("127.0.0.1", 443))
        self.addCleanup(listener.close)
        output = self.examine()
        self.assertRegex(output, f"(?m)^OK +address of {HOST}: IPv4 connects")
        self.assert_finding(output, "FAIL", HOST, "no (answer|connection|complete)",
                            f"allow connections to {HOST} port 443")

    def fill_backlog(self, listener):
        """Opens connections until the kernel drops those that follow."""
        self.addCleanup(listener.close)
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            self.addCleanup(client.close)


if __name__ == "__main__":
    unittest.main()
