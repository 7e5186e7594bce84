"""Tests whether Evidently's domain classifier distinguishes the texts of window and reference."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu
from sklearn.model_selection import train_test_split

from monitors.false_alarm_rate import false_alarm_level, score_of
from monitors.sample_requirements import (
    SampleRequirements,
    group_limits,
    group_ranks,
    inconclusive,
    insufficient_evidence,
)
from monitors.texts import user_text, words
from monitors.types import Finding, Reference, Sample, Verdict, Window
from monitors.window.engine import (
    ColumnType,
    Metric,
    StatTest,
    ValueDrift,
    register_stattest,
    roc_auc_domain_classifier,
    run,
)

NAME = "text_domain"
TEXT = "said_once"
_TEST = "text_domain"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDomainMonitor:
    """Finds DRIFT where a classifier distinguishes held-out texts, at the declared false-alarm rate.

    Evidently compares the classifier's AUC with a fixed or simulated one. Here the classifier learns from half of the
    texts, and the Mann-Whitney test compares its scores of the other half (a classifier two-sample test, Lopez-Paz and
    Oquab 2017), which gives a p-value for any level. One conversation of each user counts. The score is -log10 of the
    p-value.
    """

    name: str = NAME
    conversations_between_false_alarms: int = 20_000
    minimum: SampleRequirements = field(default_factory=SampleRequirements)

    def judge(self, window: Window, reference: Reference) -> Verdict:
        """Judge through Evidently's report; its number is the verdict's p-value."""
        level = false_alarm_level(window, self.conversations_between_false_alarms)
        missing = insufficient_evidence(self.name, window, reference, self.minimum, threshold=score_of(level))
        if missing is not None:
            return missing
        past, current = domain_column(reference, window)
        if not any(words(text) for side in (current, past) for text in side[TEXT].dropna()):
            return inconclusive(self.name, window, "there are no words to compare", threshold=score_of(level))
        snapshot = run([self.metric(window)], window=current, reference=past)
        (value,) = snapshot.metric_results.values()
        return _verdict(self.name, window, float(value.value), level)

    def metric(self, window: Window) -> Metric:
        """Return the metric for an Evidently report over ``domain_column``."""
        level = false_alarm_level(window, self.conversations_between_false_alarms)
        return ValueDrift(column=TEXT, method=_TEST, threshold=level)


def domain_column(reference: Reference, window: Window) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what users said on either side, with missing values beyond a user's limit: one on the smaller side."""
    past, current = group_limits(reference.samples, window.samples, 1)
    return _column(reference.samples, past), _column(window.samples, current)


def _column(samples: tuple[Sample, ...], limit: int) -> pd.DataFrame:
    texts = pd.Series([user_text(sample) for sample in samples], dtype=object)
    return pd.DataFrame({TEXT: texts.where(pd.Series(group_ranks(samples)) < limit)})


def _verdict(name: str, window: Window, p_value: float, level: float) -> Verdict:
    drifted = p_value <= level
    return Verdict(
        monitor=name,
        window_id=window.id,
        finding=Finding.DRIFT if drifted else Finding.STABLE,
        score=score_of(p_value),
        threshold=score_of(level),
        reason=f"a classifier of words {'tells' if drifted else 'does not tell'} window and reference apart"
        f" (p = {p_value:.2g}, level {level:.2g})",
        numbers={"p_value": p_value, "level": level},
    )


def _separability(
    reference: pd.Series,
    current: pd.Series,
    feature_type: ColumnType,  # noqa: ARG001  Evidently's signature
    threshold: float,
) -> tuple[float, bool]:
    texts = np.array(
        [" ".join(words(text, gram_lengths=(2,))) for text in (*reference, *current)], dtype=object
    )
    is_new = np.arange(len(texts)) >= len(reference)
    learn, judge, learn_new, judge_new = train_test_split(
        texts, is_new, test_size=0.5, random_state=0, stratify=is_new
    )
    try:
        _, scores, _ = roc_auc_domain_classifier(learn, judge, learn_new, judge_new)
    except ValueError:  # Evidently drops words of half of the texts and stop words; none is left
        return 1.0, False
    p_value = float(mannwhitneyu(scores[judge_new], scores[~judge_new], alternative="greater").pvalue)
    return p_value, p_value <= threshold


register_stattest(
    StatTest(name=_TEST, display_name="domain classifier p_value", allowed_feature_types=[ColumnType.Text]),
    _separability,
)
