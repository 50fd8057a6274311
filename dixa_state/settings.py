"""Settings: from `DIXA_STATE_…` in the environment, or from `.env`; flags go before both."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set from outside."""

    model_config = SettingsConfigDict(env_prefix="DIXA_STATE_", env_file=".env", extra="ignore")

    store: str = Field(
        "sqlite:///dixa-state.db",
        description="where events are kept; or `postgresql://user:password@host/db`",
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
