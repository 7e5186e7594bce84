"""Settings of the section ``model``."""

from typing import Literal

from pydantic import Field

from daemon.config.sections.base import Section


class ModelSection(Section):
    """The base model that the daemon keeps tuned."""

    base: str = Field(min_length=1)
    """Folder in the Hugging Face layout, or a hub name that is already in the local cache."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")
    """Device for training and scoring: auto (a GPU if there is one), cpu, cuda or cuda:N."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the frozen base. auto: bfloat16 where the hardware supports it, else float32."""
    threads: int = Field(0, ge=0)
    """CPU threads of a child process. 0: one per core."""
