"""Login to brokers by SASL: users with passwords, and tokens of an extension."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.component import ClientAuthenticator, Host
from pipeline.config import ConfigModel, ExtensionRef, InvalidKey, Secret, refused
from pipeline.errors import StartError
from pipeline.kafka.tls import KafkaTls

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM_OAUTHBEARER"]

_TOKENS: Final = "OAUTHBEARER"
_AWS: Final = "AWS_MSK_IAM_OAUTHBEARER"
_NO_AWS: Final = "signing with AWS credentials is not supported; use SCRAM-SHA-512, which MSK offers too, or mutual TLS"


class Sasl(ConfigModel):
    """How we log in."""

    null_is_absent: ClassVar[bool] = True

    mechanism: Mechanism = Field(
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; AWS_MSK_IAM_OAUTHBEARER is refused."
    )
    username: str = Field("", description="Name of the user.")
    password: Secret = Field(Secret(""), description="Password of the user.")
    version: Literal[0, 1] = Field(0, description="No effect: brokers say which handshake they know.")
    oauthbearer_token_source: ExtensionRef | None = Field(
        None, description="Id of a client authenticator (bearertokenauth) whose token OAUTHBEARER sends."
    )
    aws_msk: dict[str, object] | None = refused(_NO_AWS, accept=({}, {"region": ""}))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mechanism == _AWS:
            raise InvalidKey(f"not supported: {_NO_AWS}", "mechanism")
        if (self.mechanism == _TOKENS) is (self.oauthbearer_token_source is None):
            raise InvalidKey("OAUTHBEARER, and only it, needs a token source", "oauthbearer_token_source")
        if self.mechanism != _TOKENS:
            for name, value in (("username", self.username), ("password", self.password.get_secret_value())):
                if not value:
                    raise InvalidKey(f"{name} is required", name)
        return self


class PlainText(ConfigModel):
    """User and password for SASL/PLAIN, in the old form."""

    null_is_absent: ClassVar[bool] = True

    username: str = Field("", description="Name of the user.")
    password: Secret = Field(Secret(""), description="Password of the user.")


class KafkaAuth(ConfigModel):
    """Who we are to the brokers."""

    null_is_absent: ClassVar[bool] = True

    sasl: Sasl | None = Field(None, description="Login by SASL.")
    plain_text: PlainText | None = Field(None, description="Old form of sasl with mechanism PLAIN.")
    tls: KafkaTls | None = Field(None, description="Old place of tls; it counts where tls is absent.")
    kerberos: dict[str, object] | None = refused(
        "Kerberos needs libraries that pip cannot install everywhere; use auth::sasl with SCRAM-SHA-512, or mutual TLS"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sasl is not None and self.plain_text is not None:
            raise InvalidKey("give sasl or plain_text, not both", "plain_text")
        return self


def login(auth: KafkaAuth, host: Host) -> dict[str, Any]:
    """The arguments of an aiokafka client that concern SASL; none where there is no login.

    Raises:
        StartError: the extension is not started, or gives no token.
    """
    if auth.plain_text is not None:
        return _password("PLAIN", auth.plain_text.username, auth.plain_text.password)
    if auth.sasl is None:
        return {}
    if auth.sasl.oauthbearer_token_source is None:
        return _password(auth.sasl.mechanism, auth.sasl.username, auth.sasl.password)
    extension = host.extension(auth.sasl.oauthbearer_token_source)
    if not isinstance(extension, ClientAuthenticator):
        raise StartError(f'{host.id}: extension "{auth.sasl.oauthbearer_token_source}" is not a client authenticator')
    _heed_challenges()
    return {"sasl_mechanism": _TOKENS, "sasl_oauth_token_provider": _tokens_of(extension)}


def _password(mechanism: str, username: str, password: Secret) -> dict[str, Any]:
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": username,
        "sasl_plain_password": password.get_secret_value(),
    }


def _tokens_of(extension: ClientAuthenticator) -> Any:
    """What aiokafka asks for a token at each connection (RFC 7628)."""
    from aiokafka.abc import AbstractTokenProvider  # noqa: PLC0415 - only those who use Kafka have it

    main = asyncio.get_running_loop()

    class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
        """The token in the header that the extension would send."""

        async def token(self) -> str:
            asked = extension.headers()
            if asyncio.get_running_loop() is not main:
                # A consumer has a loop of its own; extensions live on the main one.
                headers = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, main))
            else:
                headers = await asked
            return next(iter(headers.values())).rpartition(" ")[2]

    return Tokens()


def _heed_challenges() -> None:
    """Have a token that the broker does not accept end the connection.

    The broker then answers with a challenge instead of an error (RFC 7628, 3.2.2). aiokafka takes that for success and
    goes on with a connection on which brokers answer that there is no cluster.
    """
    from aiokafka import conn  # noqa: PLC0415 - only those who use Kafka have it
    from aiokafka.errors import SaslAuthenticationFailed  # noqa: PLC0415

    if hasattr(conn.OAuthAuthenticator, "heeds_challenges"):
        return

    class Heeding(conn.OAuthAuthenticator):  # type: ignore[misc]  # aiokafka has no types
        heeds_challenges = True

        async def step(self, challenge: bytes | None) -> tuple[bytes, bool] | None:
            if challenge:
                raise SaslAuthenticationFailed("the token is not accepted")
            answer: tuple[bytes, bool] | None = await super().step(challenge)
            return answer

    conn.OAuthAuthenticator = Heeding
