"""What the sequential detector's aspects are about, in words."""

from collections.abc import Mapping

from monitors.types import Aspect

_DESCRIPTIONS: Mapping[Aspect, str] = {
    Aspect.INPUT: "what users say",
    Aspect.REPLY: "what the assistant says",
    Aspect.LANGUAGE: "the language",
    Aspect.SHAPE: "lengths and turns",
    Aspect.DEFECTS: "empty, repeated or cut-off turns",
    Aspect.LABEL: "labels",
    Aspect.QUALITY: "what users think of the answers",
    Aspect.FEEDBACK_RATE: "how many users say what they think",
    Aspect.CONCEPT: "the live version's loss",
    Aspect.EMBEDDING: "what users mean, by the embedding model",
}


def describe_aspect(aspect: Aspect) -> str:
    """Return what an aspect is about, for people."""
    return _DESCRIPTIONS[aspect]
