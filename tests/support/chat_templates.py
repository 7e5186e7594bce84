"""Chat templates that models ship, each with a tokenizer that has its control tokens, and how its turns end."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).parents[1] / "fixtures" / "chat_templates"

_CONTROL = re.compile(
    r"<\|[\w ]+\|?>|<\w+\|>|<｜[^｜<>]+｜>|\[/?[A-Z_]+\]|</?s>|<(?:start|end)_of_(?:turn|utterance)>|<sop>|\[gMASK\]"
)


#: How Llama 3 splits texts into words; Qwen does nearly the same.
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What the templates of one kind of model have in common."""

    eos: str
    bos: str | None = None
    end: str  # of an answer
    call_end: str = ""  # of a turn with tool calls; "": as of an answer


FAMILIES = {
    "cohere": Family(bos="<BOS_TOKEN>", eos="<|END_OF_TURN_TOKEN|>", end="<|END_OF_TURN_TOKEN|>"),
    "deepseek": Family(
        bos="<｜begin▁of▁sentence｜>", eos="<｜end▁of▁sentence｜>", end="<｜end▁of▁sentence｜>"
    ),
    "diffusion_gemma": Family(bos="<bos>", eos="<eos>", end="<turn|>", call_end="<|tool_response>"),
    "gemma4": Family(bos="<bos>", eos="<eos>", end="<turn|>", call_end="<|tool_response>"),
    "gemma4_v2": Family(bos="<bos>", eos="<eos>", end="<turn|>"),
    "gemma": Family(bos="<bos>", eos="<eos>", end="<end_of_turn>"),
    "glm4": Family(eos="<|endoftext|>", end="<|user|>", call_end="<|observation|>"),
    "gptoss": Family(eos="<|return|>", end="<|return|>", call_end="<|call|>"),
    "idefics3": Family(bos="<|begin_of_text|>", eos="<|end_of_text|>", end="<end_of_utterance>"),
    "lfm2": Family(bos="<|startoftext|>", eos="<|im_end|>", end="<|im_end|>"),
    "llama2": Family(bos="<s>", eos="</s>", end="</s>"),
    "llama3": Family(bos="<|begin_of_text|>", eos="<|eot_id|>", end="<|eot_id|>"),
    "llava": Family(bos="<s>", eos="</s>", end="</s>"),
    "mistral": Family(bos="<s>", eos="</s>", end="</s>"),
    "mixtral": Family(bos="<s>", eos="</s>", end="</s>"),
    "muse": Family(bos="<|begin_of_text|>", eos="<|eot|>", end="<|eot|>"),
    "nemotron": Family(eos="<|im_end|>", end="<|im_end|>"),
    "openchat": Family(bos="<s>", eos="<|end_of_turn|>", end="<|end_of_turn|>"),
    "phi3": Family(bos="<s>", eos="<|endoftext|>", end="<|end|>"),
    "qwen": Family(eos="<|im_end|>", end="<|im_end|>"),
    "smolvlm": Family(bos="<|im_start|>", eos="<end_of_utterance>", end="<end_of_utterance>"),
    "vicuna": Family(bos="<s>", eos="</s>", end="</s>"),
    "zephyr": Family(bos="<s>", eos="</s>", end="</s>"),
}


def names() -> list[str]:
    """Return the names of all templates, such as "trl/qwen3"."""
    return sorted(str(file.relative_to(FOLDER).with_suffix("")) for file in FOLDER.rglob("*.jinja"))


def family(name: str) -> Family:
    """Return the family whose name the template's begins with, the longest of them."""
    model = name.rpartition("/")[2]
    return FAMILIES[max((key for key in FAMILIES if model.startswith(key)), key=len)]


def tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer with this template and its control tokens."""
    template = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    of = family(name)
    ends = {of.eos, of.end, of.call_end or of.end, of.bos or of.eos}
    backend = Tokenizer.from_str(_bytes())
    backend.add_special_tokens(
        [AddedToken(control, special=True) for control in sorted({*_CONTROL.findall(template), *ends})]
    )
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token=of.eos, bos_token=of.bos, clean_up_tokenization_spaces=False
    )
    made.chat_template = template
    return made


@cache
def _bytes() -> str:
    """A tokenizer of bytes and merges, which join line breaks, and spaces with the words after them."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(["Where is my parcel?\n\nIt is here.\n\n\nYes, it comes to you.\n"] * 4, trainer)
    return str(made.to_str())
