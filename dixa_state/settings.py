"""Settings: from `DIXA_STATE_…` in the environment, or from `.env`; flags go before both."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set from outside; what is secret shows in no message and no repr."""

    model_config = SettingsConfigDict(
        env_prefix="DIXA_STATE_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    store: str = Field(
        "sqlite:///dixa-state.db",
        description="where events are kept; or `postgresql://user:password@host/db`",
    )
    webhook_secrets: SecretStr | None = Field(
        None,
        description="`hex` or `subscription-id=hex`, comma-separated; several allow rotation",
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
        description="bearer tokens for reading, comma-separated, of 16 characters or more; "
        "without one, only loopback may be bound",
    )
    host: str = Field("127.0.0.1", description="the address that is listened on")
    port: int = Field(8000, ge=0, le=65_535, description="the port; 0 takes any that is free")
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

    @property
    def grace(self) -> timedelta:
        """The grace as the fold takes it."""
        return timedelta(seconds=self.snapshot_grace)
