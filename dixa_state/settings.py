"""Settings: from `DIXA_STATE_…` in the environment, or from `.env`; flags go before both."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dixa_state.errors import InvalidInputError

PREFIX = "DIXA_STATE_"
T = TypeVar("T")


def _file_of(setting: str) -> Any:
    return Field(None, description=f"a file that holds `{PREFIX}{setting}`")


class Settings(BaseSettings):
    """What can be set from outside; what is secret shows in no message and no repr."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    store: str = Field(
        "sqlite:///dixa-state.db",
        description="where events are kept; or `postgresql://user:password@host/db`",
    )
    webhook_secrets: SecretStr | None = Field(
        None,
        description="`hex`, `subscription-id=hex` or `organization:id=hex` (which signs for that "
        "organization only), comma-separated; several allow rotation",
    )
    webhook_authorization: SecretStr | None = Field(
        None,
        description="the `Authorization` headers (`Basic …`, `Bearer …`; comma-separated) one of "
        "which webhooks must carry besides their signature",
    )
    allow_unsigned: bool = Field(
        default=False, description="accept unsigned bodies (local trials only; loud warning)"
    )
    signature_tolerance: float | None = Field(
        None,
        gt=0,
        le=31_536_000,
        description="seconds that `t` may differ from now; any if not set",
    )
    api_tokens: SecretStr | None = Field(
        None,
        description="bearer tokens for reading, `token` or `name=token`, comma-separated, of 16 "
        "characters or more; the log names who asked; without one, only loopback may be bound",
    )
    write_tokens: SecretStr | None = Field(
        None,
        description="tokens, as those for reading, that may also retry and discard what is in "
        "quarantine, on the page about operations; without one, only the command can",
    )
    trusted_proxies: str | None = Field(
        None,
        description="addresses of proxies, comma-separated, whose `X-Forwarded-For` is the client "
        "in the log; without one, it is whoever connects",
    )
    store_file: Path | None = _file_of("STORE")
    webhook_secrets_file: Path | None = _file_of("WEBHOOK_SECRETS")
    webhook_authorization_file: Path | None = _file_of("WEBHOOK_AUTHORIZATION")
    api_tokens_file: Path | None = _file_of("API_TOKENS")
    write_tokens_file: Path | None = _file_of("WRITE_TOKENS")
    host: str = Field("127.0.0.1", description="the address that is listened on")
    port: int = Field(8000, ge=0, le=65_535, description="the port; 0 takes any that is free")
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="the path under which a proxy serves this, such as `/dixa`, for every link; "
        "requests may come with it or without",
    )
    cors_origins: str | None = Field(
        None,
        description="origins, comma-separated, such as `https://desk.example`, whose pages may "
        "read with a token from a browser; none if not set",
    )
    max_body: int = Field(
        1_048_576, ge=1, le=64 << 20, description="bytes that a body may have; beyond: 413"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="how `serve` logs: text for people, or one JSON object a line"
    )
    log_level: Literal["debug", "info", "warning"] = Field(
        "info",
        description="what `serve` logs: `debug` also each webhook that was kept, "
        "`warning` only what was refused or failed",
    )
    snapshot_grace: float = Field(
        10,
        ge=0,
        le=86_400,
        description="seconds that a snapshot must be later than the last word to be believed",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        files = {name: given.get(f"{name}_file") for name in _SECRETS}
        return given | {name: _secret_in(Path(file), name) for name, file in files.items() if file}

    @property
    def grace(self) -> timedelta:
        """The grace as the fold takes it."""
        return timedelta(seconds=self.snapshot_grace)

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """Return a secret setting as `parse` reads it; `InvalidInputError` names the setting."""
        secret: SecretStr | None = getattr(self, name)
        try:
            return parse(secret.get_secret_value() if secret else "")
        except InvalidInputError as error:
            raise InvalidInputError(f"{PREFIX}{name.upper()}: {error}") from error


def require_known(names: Iterable[str]) -> None:
    """Raise `InvalidInputError` if one of these variables is meant for us and is no setting."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in sorted({name.upper() for name in names} - known):
        if name.startswith(PREFIX):
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidInputError(f"{name}: expected the name of a setting{hint}")


_SECRETS = ("store", "webhook_secrets", "webhook_authorization", "api_tokens", "write_tokens")


def _secret_in(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "text that is not UTF-8"
        raise ValueError(
            f"DIXA_STATE_{name.upper()}_FILE: expected a file that can be read, got {file}: {why}"
        ) from error
