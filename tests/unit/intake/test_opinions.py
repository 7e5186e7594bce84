import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.settings import FeedbackSection, LimitsSection
from daemon.domain.conversation import JSON, Feedback
from daemon.domain.unusable_feedback import Unusable
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback, read_score
from tests.factories.intake import NOW

UP, DOWN = Feedback(thumb="up"), Feedback(thumb="down")


def opinion(value: JSON, **settings: object) -> tuple[Feedback | None, list[Unusable]]:
    """What is read, and the kinds of what can't be."""
    reading = Reading(
        limits=LimitsSection(), received_at=NOW, feedback=FeedbackSection.model_validate(settings)
    )
    return read_feedback(value, reading), list(reading.unusable_feedback.elements())


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"thumb": "up"}, UP),
        ({"thumb": "like"}, UP),
        ({"thumb": "Dislike "}, DOWN),
        ({"thumb": "thumbs_up"}, UP),
        ({"thumb": "ThumbsDown"}, DOWN),
        ({"thumb": "thumbs-down"}, DOWN),
        ({"thumb": "👍"}, UP),
        ({"thumb": "👍🏽"}, UP),
        ({"thumb": "👎"}, DOWN),
        ({"thumb": "❤️"}, UP),
        ({"thumb": "赞"}, UP),
        ({"thumb": "踩"}, DOWN),
        ({"thumb": "+1"}, UP),
        ({"thumb": "-1"}, DOWN),
        ({"thumb": 1}, UP),
        ({"thumb": -1.0}, DOWN),
        ({"thumb": True}, UP),
        ({"liked": False}, DOWN),
        ({"helpful": "not helpful"}, DOWN),
        ({"rating": 4}, Feedback(rating=4.0)),
        ({"rating": 1}, Feedback(rating=1.0)),
        ({"rating": 4.5}, Feedback(rating=4.5)),
        ({"rating": "4"}, Feedback(rating=4.0)),
        ({"rating": True}, UP),
        ({"rating": "好评"}, UP),
        ({"stars": 2}, Feedback(rating=2.0)),
        ({"rating": "⭐⭐"}, Feedback(rating=2.0)),
        ({"rating": "★★★★☆"}, Feedback(rating=4.0)),
        ({"value": "like"}, UP),
        ({"correction": "Tomorrow."}, Feedback(correction="Tomorrow.")),
        ({"thumb": "down", "correction": ""}, DOWN),
        ({"thumb": "down", "comment": "late"}, DOWN),
        ({"thumb": None, "rating": 2}, Feedback(rating=2.0)),
        (
            {"thumb": "down", "rating": 2, "correction": "x"},
            Feedback(thumb="down", rating=2.0, correction="x"),
        ),
        (True, UP),
        (False, DOWN),
        ("like", UP),
        (None, None),
        ({"thumb": None, "rating": "", "correction": None}, None),
        ({"thumb": "up", "source": "user"}, UP),
        ({"thumb": "up", "source": {"source_type": "HUMAN"}}, UP),
    ],
)
def test_what_is_clear_without_settings_is_read(value: JSON, read: Feedback | None) -> None:
    assert opinion(value) == (read, [])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"rating": 8}, Unusable.SCALE),
        ({"rating": 0}, Unusable.SCALE),
        ({"rating": -1}, Unusable.SCALE),
        ({"rating": "8"}, Unusable.SCALE),
        ({"score": 1, "key": "user_score"}, Unusable.SCALE),
        (1, Unusable.SCALE),
        ("1", Unusable.SCALE),
        ({"thumb": 0}, Unusable.SCALE),
        ({"thumb": 5}, Unusable.SCALE),
        ({"thumb": "sideways"}, Unusable.WORD),
        ({"rating": "so so"}, Unusable.WORD),
        ("x" * 10_000, Unusable.WORD),
        ({"thumb": ["up"]}, Unusable.TYPE),
        ({"rating": {"value": 4}}, Unusable.TYPE),
        ({"correction": 4}, Unusable.TYPE),
        ({"correction": "x" * 32_001}, Unusable.TYPE),
        ({"correction": "a\0b"}, Unusable.TYPE),
        ({"comment": "nice"}, Unusable.NO_OPINION),
        ({}, Unusable.NO_OPINION),
        ([1], Unusable.SCALE),
        ([[1]], Unusable.TYPE),
        ({"thumb": "up", "source": "EVAL"}, Unusable.NOT_HUMAN),
        ({"value": True, "source": {"source_type": "LLM_JUDGE"}}, Unusable.NOT_HUMAN),
        ({"score": True, "feedback_source": {"type": "model"}}, Unusable.NOT_HUMAN),
    ],
)
def test_what_is_not_clear_is_counted_and_never_guessed(value: JSON, kind: Unusable) -> None:
    assert opinion(value) == (None, [kind])


def test_one_unusable_field_costs_no_other() -> None:
    assert opinion({"thumb": "up", "rating": 8}) == (UP, [Unusable.SCALE])


@pytest.mark.parametrize(
    ("scale", "value", "rating"),
    [
        ([-1, 1], {"rating": 1}, 5.0),
        ([-1, 1], {"rating": -1}, 1.0),
        ([-1, 1], {"rating": 0}, 3.0),
        ([-1, 1], 1, 5.0),
        ([-1, 1], "-1", 1.0),
        ([1, 10], {"rating": 10}, 5.0),
        ([1, 10], {"rating": 1}, 1.0),
        ([0, 100], {"score": 75, "key": "csat"}, 4.0),
        ([0, 1], {"score": 0.5}, 3.0),
        ([6, 1], {"rating": 1}, 5.0),
        ([6, 1], {"rating": 6}, 1.0),
    ],
)
def test_numbers_are_read_on_the_declared_scale(scale: JSON, value: JSON, rating: float) -> None:
    assert opinion(value, scale=scale) == (Feedback(rating=rating), [])


@pytest.mark.parametrize(
    ("scale", "value"), [([1, 10], 11), ([1, 10], {"rating": 0}), ([-1, 1], {"rating": 5}), ([0, 100], -1)]
)
def test_a_number_beyond_the_declared_scale_is_not_read(scale: JSON, value: JSON) -> None:
    assert opinion(value, scale=scale) == (None, [Unusable.SCALE])


def test_a_scale_from_0_to_1_tells_what_0_means_for_a_thumb() -> None:
    assert opinion({"thumb": 0}, scale=[0, 1]) == (DOWN, [])


def test_words_and_names_of_fields_are_settings() -> None:
    settings = {"words": {"Top": "up", "like": "down"}, "fields": {"thumb": ["verdict"]}}

    assert opinion({"verdict": "top"}, **settings) == (UP, [])
    assert opinion({"verdict": "like"}, **settings) == (DOWN, [])
    assert opinion({"thumb": "up"}, **settings) == (None, [Unusable.NO_OPINION])


def test_names_of_scores_that_users_give_are_a_setting() -> None:
    named = {"names": ["user_score"]}

    assert opinion({"key": "user_score", "score": True}, **named) == (UP, [])
    assert opinion({"key": "toxicity", "score": True}, **named) == (None, [Unusable.OTHER_NAME])


@pytest.mark.parametrize(
    ("source", "read"),
    [
        (None, UP),
        ("API", UP),
        ("ANNOTATION", UP),
        ("HUMAN", UP),
        ("EVAL", None),
        ("LLM_JUDGE", None),
        ("CODE", None),
    ],
)
def test_a_score_counts_only_if_a_person_gave_it(source: str | None, read: Feedback | None) -> None:
    reading = Reading(limits=LimitsSection(), received_at=NOW)

    assert read_score("thumb", True, reading, source=source) == read
    assert reading.unusable_feedback.total() == (read is None)


def test_ends_of_a_scale_differ() -> None:
    with pytest.raises(ValueError, match="must differ"):
        FeedbackSection(scale=(1, 1))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**64), 2**64)
        | st.floats(allow_nan=False)
        | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["thumb", "rating", "correction", "source", "key"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    ),
    st.sampled_from([None, [1, 5], [-1, 1], [6, 1]]),
)
def test_nothing_is_raised_and_ratings_are_on_the_native_scale(value: JSON, scale: JSON) -> None:
    found, unusable = opinion(value, scale=scale)

    assert found is None or found != Feedback()
    assert found is None or found.rating is None or 1 <= found.rating <= 5
    assert set(unusable) <= set(Unusable)
