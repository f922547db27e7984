"""Tests of each kind of credentials against fakes of Google's hosts. No secret is printed.

The worker uses no emulator here. It connects to Google's hosts by TLS, through HTTPS_PROXY. This
proxy is our server, which answers for Google's hosts with a certificate that the worker trusts.
"""
import json
import os
import pathlib
import re
import unittest

from cloud_lab import CloudLabTest, make_key, public_key
from harness import wait_until

LARGE = os.urandom(9 << 20)
ACCOUNT = "worker@lab.iam.gserviceaccount.com"
USER = {"type": "authorized_user", "client_id": "the-client-id",
        "client_secret": "GOCSPX-the-client-secret", "refresh_token": "1//the-refresh-token"}
IMPERSONATION = ("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
                 f"{ACCOUNT}:generateAccessToken")


class CredentialsTest(CloudLabTest):
    real_hosts = True

    def setUp(self):
        super().setUp()
        self.secrets = []
        self.cloud.oauth.users[USER["refresh_token"]] = (USER["client_id"], USER["client_secret"])
        self.secrets += [USER["client_secret"], USER["refresh_token"]]
        self.task = self.lab.task("a.1", "cp in out", downloads=[
            self.lab.download(self.lab.put("in", LARGE), "in")])

    def service_account(self):
        key = make_key(self)
        self.cloud.oauth.accounts[ACCOUNT] = public_key(key)
        text = pathlib.Path(key).read_text(encoding="ascii")
        self.secrets += text.splitlines()[1:-1]
        return {"type": "service_account", "project_id": "lab", "private_key_id": "key-1",
                "private_key": text, "client_email": ACCOUNT, "client_id": "1",
                "token_uri": "https://oauth2.googleapis.com/token"}

    def external_account(self, source, **more):
        self.cloud.oauth.subjects.add("the-subject-token")
        self.secrets.append("the-subject-token")
        return {"type": "external_account", "token_url": "https://sts.googleapis.com/v1/token",
                "audience": "//iam.googleapis.com/projects/1/locations/global/pools/p/providers/q",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "credential_source": source, **more}

    def file(self, content, name="credentials.json"):
        path = self.lab.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content),
                        encoding="utf-8")
        return str(path)

    def run_with(self, credentials=None, exit_code=0, environment=None, flags=("--localhost",)):
        """Runs the task with all log levels; checks that the log contains no secret."""
        environment = dict(environment or {})
        if credentials is not None:
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = self.file(credentials)
        self.lab.write_tasks([self.task])
        worker = self.lab.consume(*flags, "--logLevel", "debug", environment=environment)
        self.assert_no_secret_in(worker)
        self.assertEqual(worker.exit_code, exit_code, worker.stderr)
        return worker

    def assert_no_secret_in(self, worker):
        """Checks output, entities, files and objects."""
        texts = [worker.stdout, worker.stderr, json.dumps(self.lab.datastore.tasks())]
        texts += [path.read_text("utf-8", "replace") for directory in ("tasks", "cache")
                  for path in (self.lab.directory / directory).rglob("*")
                  if path.is_file() and path.stat().st_size < 1 << 20]
        texts += [data.decode("utf-8", "replace") for data in self.lab.stored("a.1").values()
                  if len(data) < 1 << 20]
        secret = [*self.secrets, *self.cloud.tokens.all(), *self.lab.storage.session_ids]
        secret += [request.body.decode().rpartition("assertion=")[2]
                   for request in self.cloud.requests("oauth.token") if request.body]
        for text in texts:
            for word in secret:
                self.assertFalse(word and word in text, f"{word[:20]}... in: {text[-3000:]}")
            self.assertIsNone(re.search(r"ya29\.|Bearer \S|upload_id=|BEGIN .*PRIVATE", text))

    def assert_done(self):
        self.assert_complete("a.1")
        self.assertEqual(self.lab.stored("a.1")["out"], LARGE)
        self.assertTrue(self.lab.storage.session_ids)  # large uploads use sessions


class CredentialKinds(CredentialsTest):
    def test_service_account_gives_token(self):
        self.run_with(self.service_account())
        self.assert_done()
        self.assertEqual(len(self.cloud.requests("oauth.token")), 1)
        for request in self.cloud.requests():
            self.assertTrue(request.trusted or request.kind.startswith("metadata."))

    def test_authorized_user_sends_quota_project(self):
        self.run_with({**USER, "quota_project_id": "billed"})
        self.assert_done()
        for request in self.cloud.requests("object.media"):
            self.assertEqual(request.headers.get("x-goog-user-project"), "billed")

    def test_well_known_file_gives_token(self):
        directory = self.lab.directory / ".config" / "gcloud"
        directory.mkdir(parents=True)
        (directory / "application_default_credentials.json").write_text(json.dumps(USER))
        self.run_with()
        self.assert_done()

    def test_external_account_file_gives_token(self):
        token = self.file("the-subject-token\n", "subject")
        self.run_with(self.external_account({"file": token}))
        self.assert_done()

    def test_external_account_impersonates_another(self):
        token = self.file('{"access": "the-subject-token"}', "subject.json")
        self.run_with(self.external_account(
            {"file": token, "format": {"type": "json", "subject_token_field_name": "access"}},
            service_account_impersonation_url=IMPERSONATION))
        self.assert_done()
        self.assertEqual(len(self.cloud.requests("oauth.impersonate")), 1)

    def test_impersonated_account_gives_token(self):
        self.run_with({"type": "impersonated_service_account", "source_credentials": USER,
                       "service_account_impersonation_url": IMPERSONATION, "delegates": []})
        self.assert_done()
        self.assertEqual(len(self.cloud.requests("oauth.impersonate")), 1)

    def test_metadata_server_gives_token(self):
        self.run_with(flags=())
        self.assert_done()
        self.assertEqual(len(self.cloud.requests("metadata.token")), 1)


class CredentialErrors(CredentialsTest):
    def test_refused_token_is_renewed_once(self):
        # After 401 the worker gets one new token and repeats the request.
        self.fault(kind="object.media", action="status", code=401)
        self.fault(kind="upload.start", action="status", code=401)
        self.run_with(self.service_account())
        self.assert_done()
        self.assertEqual(len(self.cloud.requests("oauth.token")), 3)

    def test_short_lived_tokens_are_renewed(self):
        self.cloud.oauth.seconds = 2
        self.cloud.oauth.seconds_as_text = True
        self.task = self.lab.task("a.1", "sleep 3; cp in out", downloads=[
            self.lab.download(self.lab.put("in", LARGE), "in")])
        self.run_with(self.service_account())
        self.assert_done()

    def test_token_endpoint_errors_are_retried(self):
        for rule in ({"action": "status", "code": 503}, {"action": "cut"}, {"action": "garbage"},
                     {"action": "truncate", "bytes": 9, "honest": True},
                     {"action": "status", "code": 500, "body": {"error": "internal_failure"}}):
            self.fault(kind="oauth.token", **rule)
        self.run_with(self.service_account())
        self.assert_done()

    def test_token_endpoint_outage_is_survived(self):
        self.fault(kind="oauth.token", action="status", code=503, count=7)
        self.run_with(self.service_account())
        self.assert_done()

    def test_revoked_credentials_keep_task_pending(self):
        self.cloud.oauth.users.clear()
        self.lab.write_tasks([self.task])
        worker = self.lab.start_consume("--localhost", "--logLevel", "debug", environment={
            "GOOGLE_APPLICATION_CREDENTIALS": self.file(USER)})
        wait_until(lambda: "invalid_grant" in worker.stderr, "the error is logged")
        worker.signal(15)
        worker.wait(20)
        self.assert_no_secret_in(worker)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")

    def test_missing_scope_is_named(self):
        scopes = "https://www.googleapis.com/auth/devstorage.read_only"
        self.cloud.metadata.set("instance/service-accounts/default/scopes", scopes + "\n")
        self.lab.write_tasks([self.task])
        worker = self.lab.start_consume("--logLevel", "debug")
        wait_until(lambda: "scope" in worker.stderr, "the error is logged")
        worker.signal(15)
        worker.wait(20)
        self.assertIn("devstorage.read_only", worker.stderr)
        self.assert_no_secret_in(worker)

    def test_broken_credentials_file_is_named(self):
        cases = {
            "nothing.json": None,  # does not exist
            "text.json": "not json",
            "odd.json": {"type": "gdch_service_account"},
            "evil.json": {**self.service_account(), "token_uri": "https://evil.example/token"},
            "key.json": {**self.service_account(), "private_key": "not a key"},
        }
        self.lab.write_tasks([self.task])
        for name, content in cases.items():
            path = str(self.lab.directory / name)
            if content is not None:
                self.file(content, name)
            worker = self.lab.start_consume("--localhost", "--logLevel", "debug", environment={
                "GOOGLE_APPLICATION_CREDENTIALS": path})
            with self.subTest(file=name):
                wait_until(lambda w=worker, n=name: n in w.stderr or w.exit_code is not None,
                           "the error is logged")
                if worker.exit_code is None:
                    worker.signal(15)
                self.assertNotEqual(worker.wait(20).exit_code, 0)
                self.assertIn(name, worker.stderr)
                self.assert_no_secret_in(worker)
        self.assertEqual(self.lab.states()["a.1"].status, "pending")
        self.assertFalse([r for r in self.cloud.requests() if "evil" in r.host])

    def test_untrusted_certificate_is_refused(self):
        self.lab.write_tasks([self.task])
        worker = self.lab.start_consume("--localhost", environment={
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            "GOOGLE_APPLICATION_CREDENTIALS": self.file(self.service_account())})
        wait_until(lambda: "certificate" in worker.stderr or worker.exit_code is not None,
                   "the error is logged")
        self.assertIn("certificate", worker.stderr)
        if worker.exit_code is None:
            worker.signal(15)
        worker.wait(20)
        self.assertEqual(self.cloud.requests(), [])


class MetadataServer(CloudLabTest):
    """A worker's identity comes from the metadata server."""

    def identity(self, *flags):
        self.lab.write_tasks([self.lab.task("a.1", "true")])
        worker = self.lab.consume(*flags)
        self.assertEqual(worker.exit_code, 0, worker.stderr)
        self.assert_complete("a.1")
        return self.lab.states()["a.1"]

    def test_metadata_errors_are_retried(self):
        for rule in ({"action": "cut"}, {"action": "status", "code": 503},
                     {"action": "garbage"}, {"action": "status", "code": 429}):
            self.fault(kind="metadata.get", **rule)
        state = self.identity()
        self.assertEqual(state.owner, "projects/123456/zones/us-east1-b/worker-1")

    def test_worker_runs_without_external_address(self):  # D61
        self.cloud.metadata.set(
            "instance/network-interfaces/0/access-configs/0/external-ip", None)
        self.assertEqual(self.identity().status, "complete")

    def test_localhost_skips_metadata_server(self):
        state = self.identity("--localhost")
        self.assertEqual(state.owner, "localhost")
        self.assertEqual(self.cloud.requests("metadata.get"), [])


class Fetch(CredentialsTest):
    def test_fetch_needs_only_credentials(self):
        done = self.lab.run("fetch", "--src", self.lab.url("in"), "--dst", "here/got",
                            environment={"GOOGLE_APPLICATION_CREDENTIALS":
                                         self.file(self.service_account())})
        self.assertEqual(done.exit_code, 0, done.stderr)
        self.assertEqual((self.lab.directory / "here" / "got").read_bytes(), LARGE)


if __name__ == "__main__":
    unittest.main()
