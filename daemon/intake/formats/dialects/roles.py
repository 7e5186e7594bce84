"""The names that APIs and data sets give to the roles."""

from collections.abc import Mapping

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Role
from daemon.intake import decoding_fields as fields

_ALIASES: Mapping[Role, tuple[str, ...]] = {
    "system": ("system", "developer", "instruction", "instructions", "context", "系统", "sistema", "système"),
    "user": ("user", "human", "customer", "client", "prompter", "person", "visitor", "end_user", "用户", "用戶",
             "usuario", "usuário", "utente", "utilisateur", "benutzer", "nutzer", "ユーザー", "사용자", "пользователь"),
    "assistant": ("assistant", "gpt", "chatgpt", "bot", "chatbot", "ai", "model", "agent", "llm", "助手",
                  "asistente", "assistente", "assistent", "アシスタント", "어시스턴트", "ассистент"),
    "tool": (
        "tool", "function", "ipython", "observation", "environment", "tool_result", "tool_response",
        "function_response", "function_result", "tool_output",
    ),
}  # fmt: skip
#: The role of each name, in lower case.
ROLES: Mapping[str, Role] = {name: role for role, names in _ALIASES.items() for name in names}

#: The names of those who say something by themselves, as tools do not.
SPEAKERS: Mapping[str, Role] = {name: role for name, role in ROLES.items() if role != "tool"}


def role_of(value: JSON, at: str, own: Mapping[str, Role] | None = None) -> Role:
    """Return the role that a name means; ``own`` names come first. Raises BadRecord."""
    if not isinstance(value, str):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a string, not {fields.kind(value)}")
    role = (own or {}).get(value) or ROLES.get(value) or ROLES.get(_plain(value))
    if role is None:
        raise BadRecord(
            Reason.BAD_FIELD, at, "must be system, user, assistant or tool, or a usual name of these"
        )
    return role


def _plain(name: str) -> str:
    """Return a name without what producers add to it: a colon, ``ROLE_`` as in an enum, ``Message`` as in a class."""
    return name.strip(" \t\r\n:：").lower().removeprefix("role_").removesuffix("message").rstrip("_")
