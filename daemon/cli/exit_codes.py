"""The exit codes of all commands, and the code of each declared error."""

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    REFUSED = 3
    CONFLICT = 4


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "Done.",
    ExitCode.FAILED: "Failed: something it needs does not work, or what was checked is not in order.",
    ExitCode.MISUSED: "Misuse: the command line or the settings are wrong.",
    ExitCode.REFUSED: "Refused: the state does not allow it, or it was not confirmed. Nothing was changed.",
    ExitCode.CONFLICT: "Conflict: another process was faster, so nothing was changed. Look again, then repeat it.",
}

#: The errors of each code. An error has the code of its class, or else of its nearest base that is listed here.
ERRORS: Mapping[ExitCode, tuple[str, ...]] = {
    ExitCode.FAILED: (
        "ArtifactUnreachable",
        "BadAdapter",
        "BadArtifact",
        "BadBackup",
        "BadDocument",
        "BadGateSettings",
        "BadHoldoutKey",
        "BadChecks",
        "BadPairs",
        "BadPointer",
        "BadRequest",
        "BrokenChain",
        "CannotListen",
        "CannotWrite",
        "ChildDied",
        "ChildTrouble",
        "ClusterError",
        "ConversationFileError",
        "DemoDataMissing",
        "DemoError",
        "Diverged",
        "JobError",
        "LedgerError",
        "LocalBrokerError",
        "LoginError",
        "NameTaken",
        "NotSwitched",
        "PeersLost",
        "StreamError",
        "TemplateRefused",
        "TokenError",
        "UnknownAdapter",
        "Unlearnable",
        "UnsupportedClient",
        "UnusableModel",
    ),
    ExitCode.MISUSED: (
        "BadChoice",
        "BadName",
        "BadOptions",
        "BadPlace",
        "BadReset",
        "Misuse",
        "NobodyNamed",
        "NoSuchAnswer",
        "NoSuchDeadLetter",
        "NoSuchLine",
        "NothingChosen",
        "OtherLine",
        "ReasonMissing",
        "SettingsError",
        "SeveralLines",
        "VersionNotFound",
    ),
    ExitCode.REFUSED: (
        "BackupRefused",
        "BoundElsewhere",
        "BytesNotKept",
        "Cancelled",
        "LedgerInUse",
        "NoLooksLeft",
        "NoReport",
        "NoSuchRun",
        "NotConfirmed",
        "NotEnoughData",
        "NotFrozen",
        "NothingHalted",
        "NothingLearned",
        "NothingToChange",
        "NothingToFreeze",
        "Refused",
        "Tainted",
        "TooFewConversations",
    ),
    ExitCode.CONFLICT: (
        "Conflict",
        "ForgottenMeanwhile",
        "NotExpected",
        "Overtaken",
        "StaleLeader",
        "VersionExists",
    ),
}
_CODES = {name: code for code, names in ERRORS.items() for name in names}


def exit_code_of(kind: type[BaseException]) -> ExitCode:
    """Return the exit code of a class of errors; FAILED for one that is not listed."""
    return next((_CODES[base.__name__] for base in kind.__mro__ if base.__name__ in _CODES), ExitCode.FAILED)
