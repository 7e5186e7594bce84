"""Settings of the section ``curation``."""

from pydantic import Field

from daemon.config.sections.base import Positive, Reloadable, Section


class CurationSection(Section):
    """Which of the eligible conversations enter a training set."""

    max_left_out: Reloadable[float] = Field(0.5, gt=0, le=1)
    """Largest share of the new conversations with a lesson that may be left out of a training that starts by itself. Answers
    that are not meant to be learned do not count: own ones that nobody judged, disliked ones. Where more would be, the decision waits for an operator, who sees the reasons in `retuned why`. 1: no limit."""
    similarity: Reloadable[float] = Field(0.8, gt=0.3, le=1)
    """Word overlap (Jaccard) from which two conversations are near-duplicates. Smaller: more conversations are left out.
    What users and the assistant say counts, without text that many conversations share word for word."""
    per_cluster: Reloadable[Positive] = 1
    """Most conversations to keep of each cluster of near-duplicates."""
    user_share: Reloadable[float] = Field(0.05, gt=0, le=1)
    """Largest share of a training set for one user; 10 conversations are always allowed. 1: no limit."""
    source_share: Reloadable[float] = Field(1.0, gt=0, le=1)
    """Largest share of a training set for one source (hygiene.tenant_field). 1: no limit."""
    own_share: Reloadable[float] = Field(1.0, gt=0, le=1)
    """Largest share of new conversations answered by the tuned model itself. 1: no limit. Set it below 1 only if the
    stream also holds answers of people or of other models; otherwise little is left to learn from."""
