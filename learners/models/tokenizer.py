"""Loads a model's tokenizer from local files, never code from the folder."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from learners.errors import UnusableModel
from learners.models.damage import check_config, unusable_where_damaged


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the fast tokenizer, which knows character offsets. Raises UnusableModel if there is none or it is damaged."""
    check_config(folder)
    with unusable_where_damaged(f"the tokenizer in {folder}"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UnusableModel(
            f"{folder} needs a tokenizer.json; {type(tokenizer).__name__} has no character offsets"
        )
    return tokenizer
