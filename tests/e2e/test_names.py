"""Tests of host names with name servers that answer wrongly, partly or not at all."""
import os
import time
import unittest

import private_network
from cloud_lab import make_certificate
from gcloud.server import Server
from harness import LabTest
from name_server import ADDRESS, NameServer, SilentServer

CONTENT = os.urandom(1 << 10)
DEAD = "127.0.0.8"
NAME = "cloud.test"
PORT = 8080
SECONDS = 2  # limit for a `fetch` while a name server, or its answers of one kind, are missing

ETC = None


def setUpModule():
    global ETC
    ETC = private_network.enter_for_module()


class HostNames(LabTest):
    def setUp(self):
        super().setUp()
        self.write_etc(f"nameserver {ADDRESS}\n")

    def write_etc(self, resolv_conf, hosts=""):
        (ETC / "resolv.conf").write_text(resolv_conf, encoding="ascii")
        (ETC / "hosts").write_text(hosts, encoding="ascii")

    def serve(self, records=None, **options):
        server = NameServer(records or {NAME: ["127.0.0.1"]}, **options)
        self.addCleanup(server.close)
        return server

    def start_cloud(self, host="127.0.0.1", port=PORT, **options):
        cloud = Server(port, host=host, **options)
        self.addCleanup(cloud.close)
        cloud.storage.make_bucket("lab")
        cloud.storage.put("lab", "a", CONTENT)
        return cloud

    def fetch(self, name=NAME, seconds=30, exit_code=0, **environment):
        """Fetches an object from the host `name`; returns the worker's log."""
        started = time.monotonic()
        worker = self.lab.run(
            "fetch", "--src", "gs://lab/a", "--dst", self.lab.directory / "a", seconds=60,
            environment={"STORAGE_EMULATOR_HOST": f"http://{name}:{PORT}", **environment})
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        self.assertLess(time.monotonic() - started, seconds)
        if exit_code == 0:
            self.assertEqual((self.lab.directory / "a").read_bytes(), CONTENT)
        return worker.stderr

    def test_failing_ipv6_lookup_is_ignored(self):
        self.start_cloud()
        server = self.serve()
        for answer in ("NXDOMAIN", "SERVFAIL", "REFUSED", "silent"):
            with self.subTest(answer):
                server.answers = {"AAAA": answer}
                self.fetch(seconds=SECONDS)

    def test_failing_ipv4_lookup_is_ignored(self):
        self.start_cloud(host="::1")
        server = self.serve({NAME: ["::1"]})
        for answer in ("NXDOMAIN", "SERVFAIL", "REFUSED", "silent"):
            with self.subTest(answer):
                server.answers = {"A": answer}
                self.fetch(seconds=SECONDS)

    def test_long_answer_comes_over_tcp(self):
        self.start_cloud()
        server = self.serve({NAME: ["127.0.0.1"] + [f"127.0.1.{i}" for i in range(1, 60)]})
        self.fetch()
        self.assertGreater(server.over_tcp, 0)

    def test_dead_server_costs_less_than_2_s(self):
        self.start_cloud()
        self.serve()
        dead = SilentServer(DEAD)
        self.addCleanup(dead.close)
        for servers in ((DEAD, ADDRESS), (ADDRESS, DEAD), ("127.0.0.7", ADDRESS)):
            with self.subTest(servers):
                self.write_etc("".join(f"nameserver {each}\n" for each in servers))
                self.fetch(seconds=SECONDS)

    def test_hosts_file_goes_before_servers(self):
        self.start_cloud()
        self.write_etc(f"nameserver {ADDRESS}\n", f"127.0.0.1 other {NAME}\n")
        server = self.serve({NAME: ["127.0.0.2", "::1"]})
        self.fetch()
        self.assertEqual(server.asked, [])

    def test_search_domains_are_tried(self):
        self.start_cloud()
        self.write_etc(f"nameserver {ADDRESS}\nsearch none.test search.test\n")
        self.serve({"part.search.test": ["127.0.0.1"]}, answers={"AAAA": "NXDOMAIN"})
        self.fetch("part")

    def test_monitor_host_is_resolved(self):
        certificate, _ = make_certificate(str(self.lab.directory))
        self.serve(answers={"AAAA": "NXDOMAIN"})
        worker = self.lab.run("status", "--address", f"{NAME}:1", "--certFile", certificate,
                              environment={"SPARKLES_MONITOR_SECRET": "secret"})
        self.assertEqual(worker.exit_code, 1)
        self.assertIn("Connection refused", worker.stderr)

    def test_monitor_name_may_be_in_no_proxy(self):
        certificate, _ = make_certificate(str(self.lab.directory))
        self.serve()
        worker = self.lab.run("status", "--address", f"{NAME}:1", "--certFile", certificate,
                              environment={"SPARKLES_MONITOR_SECRET": "secret",
                                           "http_proxy": "http://127.0.0.1:2", "no_proxy": NAME})
        self.assertEqual(worker.exit_code, 1)
        self.assertIn("127.0.0.1:1:", worker.stderr)

    def fetch_by_proxy(self, proxy, metadata):
        """Fetches from Google's hosts, for which the proxy answers."""
        self.fetch(STORAGE_EMULATOR_HOST="", HTTPS_PROXY=f"http://{proxy}",
                   GCE_METADATA_HOST=metadata, SSL_CERT_FILE=self.certificate[0])

    def test_proxy_name_is_found(self):
        self.certificate = make_certificate(str(self.lab.directory))
        self.start_cloud(certificate=self.certificate)
        self.serve({"proxy.test": ["127.0.0.1"]}, answers={"AAAA": "SERVFAIL"})
        self.fetch_by_proxy(f"proxy.test:{PORT}", f"127.0.0.1:{PORT}")

    def test_ipv6_metadata_server_gives_token(self):
        self.certificate = make_certificate(str(self.lab.directory))
        self.start_cloud(host="::1", port=80, certificate=self.certificate)
        for metadata in ("::1", "[::1]", "[::1]:80"):
            with self.subTest(metadata):
                self.fetch_by_proxy("[::1]:80", metadata)

    def test_network_without_ipv4_works(self):
        private_network.set_ipv4(False)
        self.addCleanup(private_network.set_ipv4, True)
        self.start_cloud(host="::1")
        self.serve({NAME: ["::1", "192.0.2.1"]}, address="::1")
        self.write_etc("nameserver ::1\n")
        self.fetch(seconds=SECONDS)
        self.fetch("[::1]", seconds=SECONDS)


if __name__ == "__main__":
    unittest.main()
