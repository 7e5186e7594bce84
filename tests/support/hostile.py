"""Records that nobody means well with: bytes of any kind, and usual records with something wrong in them."""

import orjson
from hypothesis import strategies as st

from tests.factories.intake import a_completion, a_record

#: What parsers, databases and people's ideas of a text trip over.
_TEXTS = st.sampled_from(
    ["", " ", "\0", "a\0b", "\x1f", "\x7f", "\u2028", "\ufeff", "\ufffd", "\U0001f600" * 3, "<|im_end|>", "a" * 300,
     "a@b.de", "138 1234 5678", "', DROP TABLE conversations; --", "%s", "\\", '"', "\u202eabc", "e\u0301"]
) | st.text(max_size=12)  # fmt: skip
_NUMBERS = st.sampled_from(
    [0, -0.0, -1, 1e308, -1e308, 5e-324, 2**53 + 1, 2**63, 2**64 - 1, -(2**63), 10**11, 10**12, 0.1]
) | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | _TEXTS
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    ["conversation_id", "ts", "model_line", "model_version", "user_id", "messages", "feedback", "metadata", "tenant",
     "request", "response", "consent", "\0", "a@b.de"]
)  # fmt: skip
_TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "\0"]) | _JSON, "content": _JSON}
    ),
    max_size=4,
)
#: Tokens that a JSON writer never makes, and that parsers of other languages accept.
_SPLICES = st.sampled_from(
    [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0", b"1" * 400, b"1E+" + b"9" * 300, b"\xc0\x80", b"\xed\xa0\x80",
     b'"\\ud800"', b'"\\u0000"', b"\xff", b"[" * 2_000, b'{"a":' * 2_000, b"'", b"//", b",", b"0x10", b"\xef\xbb\xbf"]
)  # fmt: skip


def _changed(record: dict[str, object], changes: dict[str, object]) -> bytes:
    return orjson.dumps({**record, **changes})


def _spliced(value: bytes, place: int, cut: int, splice: bytes) -> bytes:
    at = place % (len(value) + 1)
    return value[:at] + splice + value[at + cut :]


_LATE = {"conversation_id": "c-1", "ts": 1_795_521_540, "feedback": {"correction": "明天到", "rating": 2}}
_USUAL = st.sampled_from([a_record(), a_completion(), _LATE])
_NEARLY = st.builds(
    _changed,
    _USUAL,
    st.dictionaries(_FIELDS, _JSON, max_size=3) | st.fixed_dictionaries({"messages": _TURNS}),
)
#: The value of a record.
values = st.one_of(
    st.none(),
    st.binary(max_size=60),
    _NEARLY,
    st.builds(_spliced, _NEARLY, st.integers(0, 2_000), st.integers(0, 9), _SPLICES),
)
