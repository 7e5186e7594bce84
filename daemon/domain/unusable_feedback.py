"""Why feedback can't be read."""

from enum import StrEnum


class Unusable(StrEnum):
    """Why feedback can't be read; labels metrics. It is counted, and costs its conversation nothing."""

    SCALE = "scale"  # a number beyond feedback.scale, or one whose scale is not known
    WORD = "word"  # a word that means neither up nor down
    TYPE = "type"  # a value of another type, or a correction that is too long
    NO_OPINION = "no_opinion"  # none of the fields of feedback, such as a comment alone
    OTHER_NAME = "other_name"  # a score that feedback.names does not list
    NOT_HUMAN = "not_human"  # given by a program or a model
