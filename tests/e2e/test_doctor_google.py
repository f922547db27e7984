"""Tests of `doctor` against fakes of Google's hosts: credentials, clock, proxies, certificates.

The requests go through HTTPS_PROXY to our server, which answers for Google's hosts.
"""
import json
import unittest

from cloud_lab import BUCKET
from doctor_lab import CloudDoctorTest
from gcloud.metadata import ACCOUNT
from gcloud.ports import free_port
from gcloud.server import Server

USER = {"type": "authorized_user", "client_id": "the-client-id",
        "client_secret": "GOCSPX-the-client-secret", "refresh_token": "1//the-refresh-token"}


class GoogleDoctorTest(CloudDoctorTest):
    real_hosts = True

    def file(self, content):
        path = self.lab.directory / "credentials.json"
        path.write_text(content, encoding="utf-8")
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}

    def doctor(self, *flags, **options):
        output = super().doctor(*flags, **options)
        for secret in (*self.cloud.tokens.all(), USER["client_secret"], USER["refresh_token"]):
            self.assertNotIn(secret, output)
        return output


class GoodSetup(GoogleDoctorTest):
    def test_good_vm_has_no_failure(self):
        output = self.doctor("--bucket", BUCKET, "--write", exit_code=0)
        self.assertNotIn("FAIL ", output)
        for line in ("storage.googleapis.com: answers in .*through the proxy",
                     "datastore.googleapis.com: answers in", "CA certificates: from SSL_CERT_FILE",
                     "proxy: 127.0.0.1:.*accepts connections",
                     "clock: agrees with the time of storage.googleapis.com",
                     "credentials: .*worker@lab.iam.gserviceaccount.com.*from the metadata server",
                     "scopes: https://www.googleapis.com/auth/cloud-platform"):
            self.assertRegex(output, f"(?m)^OK +{line}")

    def test_account_of_file_is_named(self):
        self.cloud.oauth.users[USER["refresh_token"]] = (USER["client_id"], USER["client_secret"])
        output = self.doctor("--localhost", exit_code=0, environment=self.file(json.dumps(USER)))
        self.assertRegex(output, "(?m)^OK +credentials: the user's own credentials, from /.*json")
        self.assertNotIn("scopes", output)


class CredentialFaults(GoogleDoctorTest):
    def test_missing_scope_is_named(self):
        self.cloud.metadata.set(ACCOUNT + "scopes",
                                "https://www.googleapis.com/auth/devstorage.read_only\n")
        output = self.doctor()
        self.assert_finding(output, "FAIL", "scopes",
                            "lacks datastore and devstorage.read_write; it has .*read_only",
                            "--scopes=cloud-platform")

    def test_broken_credentials_file_is_named(self):
        output = self.doctor("--localhost", environment=self.file('{"type": "service_acc'))
        self.assert_only_failure(output, "credentials", "credentials.json: is not valid JSON",
                                 "correct the file")
        self.assertRegex(output, "(?m)^SKIP +Datastore: not checked: there are no usable")

    def test_absent_credentials_file_is_named(self):
        output = self.doctor("--localhost",
                             environment={"GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file"})
        self.assert_only_failure(output, "credentials", "/no/such/file: No such file",
                                 "unset GOOGLE_APPLICATION_CREDENTIALS")

    def test_revoked_credentials_are_named(self):
        output = self.doctor("--localhost", environment=self.file(json.dumps(USER)))
        self.assert_only_failure(output, "credentials", "invalid_grant",
                                 "gcloud auth application-default login")

    def test_missing_credentials_are_named(self):
        output = self.doctor("--localhost",
                             environment={"NO_GCE_CHECK": "true", "GCE_METADATA_HOST": ""})
        self.assert_only_failure(output, "credentials", "no credentials for Google Cloud",
                                 "give the VM a service account")


class NetworkFaults(GoogleDoctorTest):
    def test_wrong_clock_is_named(self):
        self.fault(method="GET", path="^/$", action="headers", count=0,
                   set={"Date": "Sat, 31 Jan 2026 12:00:00 GMT"})
        self.assert_only_failure(self.doctor(), "clock",
                                 "[0-9]+ s ahead of the time of storage.googleapis.com",
                                 "timedatectl set-ntp true")

    def test_refusing_proxy_is_named(self):
        proxy = Server()  # without a certificate it refuses to connect to Google's hosts
        self.addCleanup(proxy.close)
        output = self.doctor(environment={"HTTPS_PROXY": f"http://{proxy.address}"})
        for host in ("storage.googleapis.com", "datastore.googleapis.com"):
            self.assert_finding(output, "FAIL", host, "proxy refuses with HTTP 403",
                                f"a proxy that allows {host}")

    def test_stopped_proxy_is_named(self):
        output = self.doctor(environment={"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"})
        self.assert_finding(output, "FAIL", "proxy", r"\(see HTTPS_PROXY\): .*refused",
                            "correct HTTPS_PROXY")

    def test_unknown_proxy_is_named(self):
        output = self.doctor(seconds=12,
                             environment={"HTTPS_PROXY": "http://no-such-proxy.invalid:3128"})
        self.assert_finding(output, "FAIL", "proxy", "no-such-proxy.invalid:3128 .*resolved",
                            "correct HTTPS_PROXY")

    def test_broken_ca_file_is_named(self):
        path = self.lab.directory / "ca.pem"
        path.write_text("not a certificate", encoding="ascii")
        output = self.doctor(environment={"SSL_CERT_FILE": str(path)})
        self.assert_finding(output, "FAIL", "CA certificates", "has no certificate",
                            "set SSL_CERT_FILE")

    def test_unknown_ca_is_named(self):
        other = CloudDoctorTest.make_lab(self)
        self.addCleanup(other.close)
        output = self.doctor(environment={"SSL_CERT_FILE": other.certificate[0]})
        self.assert_finding(output, "FAIL", "storage.googleapis.com", "certificate",
                            "set SSL_CERT_FILE to a PEM file with the CA certificates")


if __name__ == "__main__":
    unittest.main()
