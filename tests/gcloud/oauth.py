"""Issues access tokens: the token endpoint, the STS exchange, and impersonation.

It checks every part of a request that Google checks.
"""
import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse

from .wire import Response

TOKEN_URL = "https://oauth2.googleapis.com/token"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
# The prefix of a SHA-256 hash in PKCS#1.
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


class Refused(Exception):
    def __init__(self, error, description, code=400):
        super().__init__(description)
        self.error = error
        self.code = code


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def signature_is_right(modulus, exponent, text, signature):
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    size = (modulus.bit_length() + 7) // 8
    wanted = SHA256_PREFIX + hashlib.sha256(text).digest()
    wanted = b"\0\1" + b"\xff" * (size - len(wanted) - 3) + b"\0" + wanted
    return pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big") == wanted


class Tokens:
    """All issued tokens. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._tokens = {}  # token -> (scopes, expiry)

    def issue(self, scopes, seconds):
        token = "ya29.c.test-" + secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[token] = (list(scopes), time.time() + seconds)
        return token

    def all(self):
        with self._lock:
            return list(self._tokens)

    def revoke_all(self):
        with self._lock:
            self._tokens = {token: (scopes, 0) for token, (scopes, _) in self._tokens.items()}

    def refusal(self, request, accepted_scopes):
        """The error response for a request without a valid token, or None."""
        header = request.headers.get("authorization", "")
        with self._lock:
            scopes, expiry = self._tokens.get(header.removeprefix("Bearer "), ([], 0))
        if expiry < time.time():
            return api_error(401, "UNAUTHENTICATED", "Request had invalid authentication "
                             "credentials.", WWW_Authenticate='Bearer error="invalid_token"')
        if not set(scopes) & set(accepted_scopes):
            return api_error(403, "PERMISSION_DENIED", "Request had insufficient authentication "
                             "scopes.", WWW_Authenticate='Bearer error="insufficient_scope"')
        return None


def api_error(code, status, message, **headers):
    return Response.json({"error": {"code": code, "message": message, "status": status}}, code,
                         **headers)


class OAuth:
    """Accepts the clients in `accounts`, `users` and `subjects`.

    accounts: client_email -> (modulus, exponent) of its public key
    users: refresh_token -> (client_id, client_secret)
    subjects: the valid subject tokens of the exchange
    """

    def __init__(self, tokens):
        self._tokens = tokens
        self.accounts = {}
        self.users = {}
        self.subjects = set()
        self.seconds = 3599
        self.seconds_as_text = False

    def route(self, request):
        """(kind, handler) or None."""
        if request.method != "POST":
            return None
        if request.path == "/token":
            return "oauth.token", lambda: self._guarded(self._grant, request)
        if request.path == "/v1/token":
            return "oauth.exchange", lambda: self._guarded(self._exchange, request)
        if request.path.startswith("/v1/projects/-/serviceAccounts/"):
            if request.path.endswith(":generateAccessToken"):
                return "oauth.impersonate", lambda: self._impersonate(request)
        return None

    def _guarded(self, grant, request):
        kind = request.headers.get("content-type", "")
        form = dict(urllib.parse.parse_qsl(request.read().decode()))
        try:
            if not kind.startswith("application/x-www-form-urlencoded"):
                raise Refused("invalid_request", "not a form")
            scopes, more = grant(form)
        except Refused as refused:
            return Response.json({"error": refused.error, "error_description": str(refused)},
                                 refused.code)
        seconds = str(self.seconds) if self.seconds_as_text else self.seconds
        return Response.json({"access_token": self._tokens.issue(scopes, self.seconds),
                              "expires_in": seconds, "token_type": "Bearer", **more})

    def _grant(self, form):
        if form.get("grant_type") == JWT_GRANT:
            return self._check_assertion(form.get("assertion", "")), {}
        if form.get("grant_type") == "refresh_token":
            known = self.users.get(form.get("refresh_token"))
            if known is None:
                raise Refused("invalid_grant", "Token has been expired or revoked.")
            if known != (form.get("client_id"), form.get("client_secret")):
                raise Refused("invalid_client", "The OAuth client was not found.", 401)
            return form.get("scope", "https://www.googleapis.com/auth/cloud-platform").split(), {}
        raise Refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")

    def _check_assertion(self, assertion):
        """The scopes of a JWT, after a check of all its claims and its signature."""
        try:
            head, claims, signature = assertion.split(".")
            header, said = json.loads(decoded(head)), json.loads(decoded(claims))
            key = self.accounts[said["iss"]]
            issued, expiry, audience, scope = (said[k] for k in ("iat", "exp", "aud", "scope"))
        except (ValueError, KeyError):
            raise Refused("invalid_grant", "Invalid JWT: parts or claims are missing, or the "
                                           "account is not known.") from None
        if "=" in assertion or header.get("alg") != "RS256" or header.get("typ") != "JWT":
            raise Refused("invalid_grant", "Invalid JWT header.")
        if audience != TOKEN_URL and not audience.startswith("http://127.0.0.1:"):
            raise Refused("invalid_grant", "Invalid JWT: wrong audience.")
        now = time.time()
        if not (isinstance(issued, int) and isinstance(expiry, int)
                and issued <= now + 60 and now < expiry <= issued + 3600):
            raise Refused("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 "
                          "minutes) and in a reasonable timeframe. Check your iat and exp values.")
        if not signature_is_right(*key, f"{head}.{claims}".encode(), decoded(signature)):
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        return scope.split()

    def _exchange(self, form):
        if form.get("grant_type") != EXCHANGE_GRANT:
            raise Refused("unsupported_grant_type", "Invalid grant_type")
        if form.get("requested_token_type") != ACCESS_TOKEN_TYPE:
            raise Refused("invalid_request", "Invalid requested_token_type")
        for key in ("audience", "scope", "subject_token_type"):
            if not form.get(key):
                raise Refused("invalid_request", f"{key} is missing")
        if form.get("subject_token") not in self.subjects:
            raise Refused("invalid_grant", "The given subject token is not known.")
        return form["scope"].split(), {"issued_token_type": ACCESS_TOKEN_TYPE}

    def _impersonate(self, request):
        refusal = self._tokens.refusal(request, ["https://www.googleapis.com/auth/cloud-platform",
                                                 "https://www.googleapis.com/auth/iam"])
        if refusal:
            request.drain()
            return refusal
        asked = json.loads(request.read())
        if not asked.get("scope") or not isinstance(asked["scope"], list):
            return api_error(400, "INVALID_ARGUMENT", "scope is missing")
        seconds = int(asked.get("lifetime", "3600s").removesuffix("s"))
        expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        return Response.json({"accessToken": self._tokens.issue(asked["scope"], seconds),
                              "expireTime": expiry})
