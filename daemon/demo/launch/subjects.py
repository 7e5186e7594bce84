"""What users of the support line ask for: settings, in two phrases each, the most asked first."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A setting as users speak of it, without knowing its name."""

    setting: str  # its path, such as "policy.min_new_lessons"
    clause: str  # completes "which setting decides ..."
    noun: str  # completes "where do I set ..."


def _subject(setting: str, clause: str, noun: str) -> Subject:
    return Subject(setting=setting, clause=clause, noun=noun)


SUBJECTS = (
    _subject(
        "policy.min_new_lessons",
        "how many new lessons a training waits for",
        "the fewest lessons a training needs",
    ),
    _subject(
        "monitors.conversations_between_false_alarms", "how rare false alarms are", "the rate of false alarms"
    ),
    _subject(
        "release.automatic",
        "whether a version that passed goes live by itself",
        "promotion without a person",
    ),
    _subject("http.port", "on which port metrics are served", "the port for Prometheus"),
    _subject("windows.size", "how many conversations make a window", "the size of a window"),
    _subject(
        "learning.replay_share",
        "how many old conversations are mixed into a training",
        "replay against forgetting",
    ),
    _subject("gate.margin", "how much worse old conversations may get", "the loss tolerated on old topics"),
    _subject("holdout.share", "how many users are never trained on", "the share of held-out users"),
    _subject("learning.epochs", "how often training passes over the data", "the number of passes"),
    _subject("policy.cooldown_s", "how long retuned rests after a training", "the pause between trainings"),
    _subject("kafka.topic", "where conversations are read from", "the topic with the conversations"),
    _subject(
        "learning.learning_rate", "how far each step moves the weights", "the peak step of the optimiser"
    ),
    _subject("windows.reference_size", "how many conversations are known as normal", "the reference's size"),
    _subject("lessons.liked_from", "from which rating on an answer is liked", "the lowest rating that likes"),
    _subject("lessons.disliked_to", "up to which rating an answer is disliked", "the worst ratings' limit"),
    _subject("gate.alpha", "how often a bad candidate may pass", "the error rate of the gate"),
    _subject("learning.rank", "how large the LoRA matrices are", "the rank of the adapters"),
    _subject("curation.user_share", "how much of a training one user may be", "the cap on a single user"),
    _subject("gate.max_looks", "how often an undecided candidate is judged", "the number of looks"),
    _subject("policy.on_drift", "whether an alarm starts a training", "training after alarms"),
    _subject("policy.triage", "whether alarms are examined for harm", "the examination of alarms"),
    _subject(
        "curation.similarity", "when two conversations are near-duplicates", "the threshold of duplicates"
    ),
    _subject("windows.max_age_s", "after what time a window closes early", "the highest age of windows"),
    _subject("leader.lease_s", "when a silent leader is replaced", "the takeover time of replicas"),
    _subject(
        "monitors.feedback_wait_h", "how long late feedback is waited for", "the patience with feedback"
    ),
    _subject("retention.conversations", "how many recent conversations are stored", "the ledger's capacity"),
    _subject("learning.timeout_s", "when a slow training is stopped", "the time limit of trainings"),
    _subject("gate.answers", "how many prompts both versions answer", "the sample of written answers"),
    _subject("gate.answer_tokens", "how long a compared answer may get", "the length of gate answers"),
    _subject("learning.tokens_per_step", "how many tokens a step sees", "the batch of an optimiser step"),
    _subject("limits.messages", "how many turns a conversation may have", "the longest chat accepted"),
    _subject("hygiene.burst_conversations", "how many chats one user may flood in", "the flood limit"),
    _subject("release.keep_loaded", "how many versions stay in memory", "the versions kept loaded"),
    _subject("learning.warmup_share", "during which steps the rate rises", "the warm-up's length"),
    _subject("curation.max_left_out", "how much data may be left out", "the tolerated share of dropped data"),
    _subject("monitors.loss_share", "what share is scored for drift", "the sampling of losses"),
    _subject("windows.reference_days", "how many days the reference spans", "the time that counts as normal"),
    _subject("dead_letters.max_run", "after how many bad records intake halts", "the run of dead letters"),
    _subject("kafka.session_timeout_ms", "when a mute consumer is dropped", "the heartbeat time-out"),
    _subject("limits.record_bytes", "how many bytes a record may have", "the largest record"),
)
