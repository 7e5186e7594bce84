"""Adapters on one base in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel

from learners.errors import NameTaken, UnknownAdapter
from learners.models.artifact import verify_artifact
from learners.models.lora import attach, linears_of, peft_config, read_adapter, set_weights


class Adapters:
    """Adapters by name on one base. A name means the same bytes for the life of the process."""

    def __init__(self, base: PreTrainedModel) -> None:
        self._base = base
        self._linears = linears_of(base)
        self._model: PeftModel | None = None
        self._keys: dict[str, str] = {}  # name -> peft's name, which must not have dots
        self._digests: dict[str, str] = {}  # of every name that was ever loaded

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def load(self, name: str, folder: Path) -> None:
        """Load an adapter after checking it. Loading the same again does nothing; another under its name raises NameTaken.

        Raises BadAdapter and changes nothing then.
        """
        digest = verify_artifact(folder)
        if self._digests.setdefault(name, digest) != digest:
            raise NameTaken(f"{name} was loaded with digest {self._digests[name]}, {folder} has {digest}")
        if name in self._keys:
            return
        config, weights = read_adapter(folder, self._linears)
        key = f"adapter{len(self._digests)}"
        if self._model is None:
            self._model = attach(self._base, config, self._linears, name=key)
        else:
            self._model.add_adapter(key, peft_config(config, self._linears))
        set_weights(self._model, weights, name=key)
        self._model.eval()
        self._keys[name] = key

    def unload(self, name: str) -> None:
        """Free the adapter's memory. Raises UnknownAdapter."""
        key = self._key(name)
        assert self._model is not None  # noqa: S101 (it has a key)
        if len(self._keys) == 1:
            self._model.unload()
            self._model = None
        else:
            self._model.delete_adapter(key)
        del self._keys[name]

    @contextmanager
    def using(self, name: str | None) -> Iterator[PreTrainedModel | PeftModel]:
        """Return the model with that adapter, or the untouched base. Raises UnknownAdapter."""
        if name is not None:
            key = self._key(name)
            assert self._model is not None  # noqa: S101 (it has a key)
            self._model.set_adapter(key)
            yield self._model
        elif self._model is None:
            yield self._base
        else:
            with self._model.disable_adapter():
                yield self._model

    def _key(self, name: str) -> str:
        if name not in self._keys:
            raise UnknownAdapter(f"{name} is not loaded; loaded are: {', '.join(self._keys) or 'none'}")
        return self._keys[name]
