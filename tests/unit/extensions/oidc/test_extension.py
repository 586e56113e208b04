"""Tokens of a real issuer over real HTTP and HTTPS: those that are let in, and all those that are not."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.component import ServerAuthenticator
from pipeline.errors import Refused, StartError, Unauthenticated
from pipeline.extensions.oidc import Oidc
from pipeline.extensions.oidc.tokens import NotAccepted
from pipeline.signals import Context
from pipeline.testing import FakeClock, configured, make_host, metric_value
from tests.servers.oidc_issuer import AUDIENCE, Issuer, SigningKey, issuer, key

REFUSED = "penstock_oidc_refused_total"


@asynccontextmanager
async def running(*issuers: Issuer, clock: FakeClock | None = None, **provider: Any) -> AsyncIterator[Oidc]:
    host = make_host("oidc", clock=clock or FakeClock(time.time_ns()))
    config = {"providers": [one.provider(**provider) for one in issuers]}
    extension: Oidc = configured(Oidc, host, **config)
    await extension.start()
    try:
        yield extension
    finally:
        await extension.stop()


@pytest.fixture
async def known() -> AsyncIterator[Issuer]:
    async with issuer() as one:
        yield one


def context(token: str, *, header: str = "authorization", scheme: str = "Bearer ") -> Context:
    return Context(metadata={header: (f"{scheme}{token}",)}, peer="192.0.2.1")


async def subject(extension: Oidc, token: str) -> str:
    return (await extension.authenticate(context(token))).subject


async def reason(extension: Oidc, given: Context) -> str:
    """How the refusal is counted."""

    def counts() -> dict[str, float]:
        return {
            sample.labels["reason"]: sample.value
            for metric in extension.host.meter.registry.collect()
            for sample in metric.samples
            if sample.name == REFUSED
        }

    before = counts()
    with pytest.raises(Unauthenticated):
        await extension.authenticate(given)
    (found,) = [name for name, count in counts().items() if count != before.get(name, 0)]
    return found


async def test_who_sent_it(known: Issuer) -> None:
    async with running(known, username_claim="email", groups_claim="groups") as extension:
        assert isinstance(extension, ServerAuthenticator)
        token = known.token(email="a@example.org", groups=["dev", 7], tenant="t1")
        given = context(token)
        auth = await extension.authenticate(given)
        found = Context(auth=auth)
        assert auth.subject == "a@example.org"
        assert found.lookup("auth.membership") == "dev;7"
        assert found.lookup("auth.raw") == token
        assert found.lookup("auth.tenant") == "t1"
        assert found.lookup("auth.subject") == "a@example.org"
        assert auth.attributes["sub"] == "team-a"


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
async def test_algorithms(known: Issuer, algorithm: str) -> None:
    signer = key(algorithm, algorithm)
    known.keys = [key().jwk(), signer.jwk()]
    known.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256", algorithm]}
    async with running(known) as extension:
        assert await subject(extension, known.token(signer)) == "team-a"
        assert await subject(extension, signer.sign(known.claims(), kid=None)) == "team-a"


async def test_only_what_the_issuer_says_it_signs_with(known: Issuer) -> None:
    signer = key("ES256", "ES256")
    known.keys = [signer.jwk()]
    async with running(known) as extension:
        assert await reason(extension, context(known.token(signer))) == "algorithm"


async def test_a_key_is_used_for_its_algorithm_only(known: Issuer) -> None:
    known.metadata = {"id_token_signing_alg_values_supported": ["RS256", "RS512"]}
    known.keys = [key().jwk(alg="RS256")]
    other = SigningKey("first", "RS512", key().private)
    async with running(known) as extension:
        assert await reason(extension, context(known.token(other))) == "unknown_key"


def _segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _unsigned(one: Issuer, **header: Any) -> str:
    return f"{_segment({'typ': 'JWT', 'kid': 'first', **header})}.{_segment(one.claims())}."


def _confused(one: Issuer) -> str:
    """Signed by HMAC with the public key, which everybody has, as its secret (RFC 8725, section 2.1)."""
    import hashlib
    import hmac

    public = key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_segment({'alg': 'HS256', 'kid': 'first'})}.{_segment(one.claims())}"
    mac = hmac.digest(public, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _changed(token: str) -> str:
    header, claims, signature = token.split(".")
    body = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return f"{header}.{_segment(body | {'sub': 'team-b'})}.{signature}"


NOW = int(time.time())
BAD: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "wrong audience": (lambda one: one.token(aud="others"), "audience"),
    "no audience": (lambda one: one.token(aud=None), "audience"),
    "wrong issuer": (lambda one: one.token(iss="https://issuer.example.com"), "issuer"),
    "no issuer": (lambda one: one.token(iss=None), "claim"),
    "expired": (lambda one: one.token(exp=NOW - 3600), "expired"),
    "without end": (lambda one: one.token(exp=None), "claim"),
    "not yet valid": (lambda one: one.token(nbf=NOW + 36000), "not_yet_valid"),
    "issued in the future": (lambda one: one.token(iat=NOW + 36000), "not_yet_valid"),
    "alg none": (lambda one: _unsigned(one, alg="none"), "algorithm"),
    "alg None": (lambda one: _unsigned(one, alg="None"), "algorithm"),
    "RS256 without a signature": (lambda one: _unsigned(one, alg="RS256"), "signature"),
    "HS256 with the public key": (_confused, "algorithm"),
    "unknown key id": (lambda one: key("stranger").sign(one.claims()), "unknown_key"),
    "another key under a known id": (lambda one: key("stranger").sign(one.claims(), kid="first"), "signature"),
    "without a key id, of another key": (lambda one: key("stranger").sign(one.claims(), kid=None), "signature"),
    "changed claims": (lambda one: _changed(one.token()), "signature"),
    "truncated": (lambda one: one.token()[:-22], "signature"),
    "two parts": (lambda one: ".".join(one.token().split(".")[:2]), "malformed"),
    "critical extension": (lambda one: key().sign(one.claims(), crit=["x"], x=1), "malformed"),
    "no token": (lambda _: "a", "malformed"),
    "binary": (lambda _: "\udcff.\udcff.\udcff", "malformed"),
    "too long": (lambda one: one.token(x="x" * 20_000), "malformed"),
    "deeply nested": (
        lambda _: ".".join([_segment({"alg": "RS256"}), base64.b64encode(b"[" * 9000).decode(), "AAAA"]),
        "malformed",
    ),
    "endless time": (lambda one: one.token(exp=float("inf")), "malformed"),
    "a list for a time": (lambda one: one.token(nbf=[]), "malformed"),
    "a list for an algorithm": (lambda one: _unsigned(one, alg=["RS256"]), "algorithm"),
    "a time without measure": (lambda one: one.token(iat=10**400), "not_yet_valid"),
    "text for a time": (lambda one: one.token(exp="tomorrow"), "malformed"),
}


@pytest.mark.parametrize("what", BAD)
async def test_who_is_not_let_in(known: Issuer, what: str, caplog: pytest.LogCaptureFixture) -> None:
    make, counted = BAD[what]
    async with running(known) as extension:
        token = make(known)
        caplog.set_level(logging.DEBUG)
        # Twice: a refusal is not remembered as something better.
        assert [await reason(extension, context(token)) for _ in range(2)] == [counted] * 2
        assert len(token) < 2 or not any(token in repr(record.__dict__) for record in caplog.records)
        assert await subject(extension, known.token()) == "team-a"


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        (lambda _: Context(), "missing"),
        (lambda _: Context(metadata={"authorization": ("",)}), "missing"),
        (lambda token: context(token, scheme=""), "header"),
        (lambda token: context(token, scheme="Basic "), "header"),
        (lambda token: context(f"{token} more"), "header"),
        (lambda token: context(token, header="x-token"), "missing"),
    ],
)
async def test_headers_that_hold_no_token(known: Issuer, given: Callable[[str], Context], counted: str) -> None:
    async with running(known) as extension:
        assert await reason(extension, given(known.token())) == counted


async def test_the_name_of_the_header(known: Issuer) -> None:
    host = make_host("oidc")
    extension: Oidc = configured(Oidc, host, **known.provider(), attribute="X-Token")
    await extension.start()
    assert (
        await extension.authenticate(context(known.token(), header="x-token", scheme="bearer "))
    ).subject == "team-a"
    await extension.stop()


@pytest.mark.parametrize(
    "keys",
    [
        {"audience": AUDIENCE, "username_claim": "email", "groups_claim": "groups"},
        {"ignore_audience": True, "issuer_ca_path": "/etc/ca.pem"},
    ],
)
def test_one_issuer_at_the_top_is_one_of_the_providers(keys: dict[str, Any]) -> None:
    one, other = {"issuer_url": "https://a.example.com", **keys}, {"issuer_url": "https://b.example.com", **keys}
    top = Oidc.Config.model_validate({**one, "providers": [other]})
    assert top.all_providers == Oidc.Config.model_validate({"providers": [one, other]}).all_providers


async def test_any_audience(known: Issuer) -> None:
    async with running(known, audience="", ignore_audience=True) as extension:
        assert await subject(extension, known.token(aud="others")) == "team-a"
        assert await subject(extension, known.token(aud=None)) == "team-a"


@pytest.mark.parametrize(
    ("provider", "claims", "message"),
    [
        ({"username_claim": "email"}, {}, "username claim from the OIDC configuration not found"),
        ({"username_claim": "email"}, {"email": 5}, "isn't a regular string"),
        ({"groups_claim": "groups"}, {}, "groups claim from the OIDC configuration not found"),
    ],
)
async def test_claims_that_are_missing(
    known: Issuer, provider: dict[str, Any], claims: dict[str, Any], message: str
) -> None:
    async with running(known, **provider) as extension:
        with pytest.raises(Unauthenticated, match=message):
            await subject(extension, known.token(**claims))


async def test_several_issuers(known: Issuer) -> None:
    async with issuer() as other:
        other.keys = [key("other").jwk()]
        async with running(known, other) as extension:
            assert await subject(extension, known.token(sub="a")) == "a"
            assert await subject(extension, other.token(key("other"), sub="b")) == "b"
            assert await reason(extension, context(other.token())) == "unknown_key"
            assert await reason(extension, context(known.token(iss="https://issuer.example.com"))) == "issuer"
            with pytest.raises(Unauthenticated) as refused:
                await extension.authenticate(context(known.token(iss="\ud800")))
            assert 'for the issuer "?"' in str(refused.value)


async def test_a_rotated_key(known: Issuer) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        old = known.token()
        assert await subject(extension, old) == "team-a"
        known.keys = [key("second").jwk()]
        await clock.advance(10)
        assert await subject(extension, known.token(key("second"))) == "team-a"
        assert await reason(extension, context(old)) == "unknown_key"


async def test_a_key_that_is_taken_back_is_not_trusted_for_long(known: Issuer) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        token = known.token()
        assert await subject(extension, token) == "team-a"
        known.keys = [key("second").jwk()]
        asked = len(known.requests)
        await clock.advance(300)
        async with asyncio.timeout(60):
            while len(known.requests) == asked or extension._known:  # noqa: ASYNC110 - the issuer answers in its own time
                await asyncio.sleep(0.01)
        assert await reason(extension, context(token)) == "unknown_key"


async def test_forged_key_ids_do_not_hammer_the_issuer(known: Issuer) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        await clock.advance(10)
        known.requests.clear()
        for number in range(50):
            assert await reason(extension, context(key().sign(known.claims(), kid=str(number)))) == "unknown_key"
        assert known.requests == ["/keys"]


async def test_an_end_in_the_far_future(known: Issuer) -> None:
    async with running(known) as extension:
        for _ in range(2):
            assert await subject(extension, known.token(exp=10**400)) == "team-a"


async def test_an_issuer_that_is_slow_is_asked_once_for_all_who_wait(known: Issuer) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        good = known.token()
        known.requests.clear()
        known.hold = asyncio.Event()
        await clock.advance(10)
        forged = [key().sign(known.claims(), kid=str(number)) for number in range(300)]
        waiting = [asyncio.create_task(extension.authenticate(context(token))) for token in forged]
        async with asyncio.timeout(60):
            while not known.requests:  # noqa: ASYNC110 - the request arrives in its own time
                await asyncio.sleep(0.01)
        assert await subject(extension, good) == "team-a"
        await clock.advance(20)
        known.hold.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert Counter(map(type, answers)) == {NotAccepted: 256, Refused: 44}
        assert known.requests == ["/keys"]


async def test_a_token_is_checked_with_so_many_keys_at_most(known: Issuer) -> None:
    known.keys = [key(str(number), "ES256").jwk() for number in range(40)]
    known.metadata = {"id_token_signing_alg_values_supported": ["ES256"]}
    async with running(known) as extension:
        for number, counted in ((31, ""), (39, "signature")):
            token = key(str(number), "ES256").sign(known.claims(), kid=None)
            if counted:
                assert await reason(extension, context(token)) == counted
            else:
                assert await subject(extension, token) == "team-a"
        assert await subject(extension, known.token(key("39", "ES256"))) == "team-a"


async def test_an_issuer_that_is_away(known: Issuer) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        known.status = 503
        await clock.advance(10)
        with pytest.raises(Refused, match="try again later"):
            await subject(extension, known.token(key("second")))
        assert metric_value(extension.host, REFUSED, reason="keys_unavailable") == 1
        assert await subject(extension, known.token()) == "team-a"
        known.status, known.keys = 200, [key("second").jwk()]
        await clock.advance(10)
        assert await subject(extension, known.token(key("second"))) == "team-a"


async def test_a_known_token_costs_no_second_look_until_it_expires(
    known: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock) as extension:
        token = known.token(exp=int(time.time()) + 30)
        first = await extension.authenticate(context(token))

        def no_more(*_: Any, **__: Any) -> None:
            raise AssertionError("verified again")

        with monkeypatch.context() as patch:
            patch.setattr(jwt, "decode", no_more)
            assert await extension.authenticate(context(token)) is first
            await clock.advance(1000)
            with pytest.raises(AssertionError, match="verified again"):
                await extension.authenticate(context(token))


async def test_known_tokens_are_bounded(known: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.extensions.oidc.extension._MAX_KNOWN", 3)
    async with running(known) as extension:
        for number in range(6):
            await subject(extension, known.token(sub=str(number)))
        assert [auth.subject for auth, _ in extension._known.values()] == ["3", "4", "5"]


async def test_https_with_a_ca_of_its_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    context_ = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context_)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    async with issuer(context_) as one:
        async with running(one, issuer_ca_path=str(ca_file)) as extension:
            assert await subject(extension, one.token()) == "team-a"
        with pytest.raises(StartError, match=r"failed to create OIDC provider .*: the certificate is not accepted"):
            async with running(one):
                pass


def _metadata(**metadata: Any) -> Callable[[Issuer], None]:
    return lambda one: one.metadata.update(metadata)


def _keys(*keys: dict[str, Any]) -> Callable[[Issuer], None]:
    def set_keys(one: Issuer) -> None:
        one.keys = list(keys)

    return set_keys


def _small() -> dict[str, Any]:
    return SigningKey("small", "RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024)).jwk()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda one: setattr(one, "status", 500), "answered 500"),
        (lambda one: setattr(one, "status", 302), "answered 302"),
        (_metadata(issuer="https://issuer.example.com"), "issuer did not match"),
        (_metadata(jwks_uri=None), "less secure"),
        (_metadata(jwks_uri="file:///etc/passwd"), "less secure"),
        (_metadata(pad="x" * 2_000_000), "more than 1048576 bytes"),
        (_keys(), "no supported keys"),
        (_keys({"kty": "oct", "k": "c2VjcmV0", "kid": "first"}), "no supported keys"),
        (_keys({"kty": "RSA", "n": "!", "e": "AQAB"}), "no supported keys"),
        (_keys(key().jwk(use="enc")), "no supported keys"),
        (_keys(_small()), "no supported keys"),
    ],
)
async def test_issuers_that_cannot_be_used(known: Issuer, spoil: Callable[[Issuer], None], message: str) -> None:
    spoil(known)
    with pytest.raises(StartError, match=message):
        async with running(known):
            pass


async def test_an_issuer_that_is_not_there() -> None:
    with pytest.raises(
        StartError, match=r'failed to create OIDC provider for "http://localhost:1": .*: connection refused'
    ):
        async with running(Issuer("http://localhost:1")):
            pass


async def test_keys_in_a_file(known: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key().jwk()]}))
    clock = FakeClock(time.time_ns())
    async with running(known, clock=clock, public_keys_file=str(file)) as extension:
        assert await subject(extension, known.token()) == "team-a"
        for content, accepted in [("broken", ""), (json.dumps({"keys": [key("second").jwk()]}), "second")]:
            file.write_text(content)
            await clock.advance(10)
            if accepted:
                assert await subject(extension, known.token(key(accepted))) == "team-a"
            else:
                assert await subject(extension, known.token()) == "team-a"
        assert known.requests == []


async def test_a_file_that_is_not_there(known: Issuer, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="could not read file"):
        async with running(known, public_keys_file=str(tmp_path / "none")):
            pass


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no issuer configured"),
        ({"issuer_url": "https://a.example.com"}, "no Audience provided"),
        ({"audience": "a"}, "no IssuerURL provided"),
        ({"issuer_url": "a.example.com", "audience": "a"}, "invalid URL"),
        ({"providers": [{"issuer_url": "https://a.example.com", "audience": AUDIENCE}] * 2}, "duplicate issuer URL"),
    ],
)
def test_config(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Oidc.Config.model_validate(config)
