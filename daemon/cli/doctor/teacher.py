"""Checks the teacher, where the settings name one."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.domain.teaching import Reply, TeacherOutcome
from daemon.teaching.client import TeacherClient
from daemon.teaching.endpoint import endpoint_of

_SUBJECT = "teacher"
_TINY = [{"role": "user", "content": "Reply with the word yes."}]
_TINY_TOKENS = 16
#: Endpoints that keep the rest of OpenAI's API may not list their models.
_NO_LIST = (TeacherOutcome.NOT_FOUND, TeacherOutcome.REFUSED, TeacherOutcome.NOT_JSON)
_PROVES_IT = "`retuned doctor --teacher` makes one small call, which costs money"


def check_teacher(settings: Settings, *, call: bool) -> Iterator[Check]:
    """Check that the endpoint answers, and knows key and model; with ``call`` by one small call, which costs money."""
    endpoint = endpoint_of(settings.teacher)
    if endpoint is None:
        return
    client = TeacherClient(endpoint)
    if call:
        yield _of_call(client.ask(_TINY, max_tokens=_TINY_TOKENS), endpoint.url, endpoint.model)
        return
    models = client.models()
    if isinstance(models, Reply):
        if models.outcome in _NO_LIST:
            yield passed(_SUBJECT, f"{endpoint.url} answers, but lists no models; {_PROVES_IT}")
        else:
            yield _failed(models)
    elif models and endpoint.model not in models:
        named = ", ".join(models[:5])
        yield failed(
            _SUBJECT,
            f"{endpoint.url} has no model {endpoint.model}; it has {named}",
            "correct teacher.model",
        )
    else:
        yield passed(_SUBJECT, f"{endpoint.url} answers and has {endpoint.model}; {_PROVES_IT}")


def _of_call(reply: Reply, url: str, model: str) -> Check:
    if reply.outcome in (TeacherOutcome.ANSWERED, TeacherOutcome.CUT_OFF):
        tokens = f"{reply.input_tokens} and {reply.output_tokens} tokens"
        return passed(_SUBJECT, f"{model} at {url} answered ({tokens})")
    return _failed(reply)


def _failed(reply: Reply) -> Check:
    """Return the failure; a reason ends with its remedy, after a semicolon or a colon."""
    for mark in ("; ", ": "):
        found, _, remedy = reply.reason.rpartition(mark)
        if found:
            return failed(_SUBJECT, found, remedy)
    return failed(_SUBJECT, reply.reason, "check the section teacher of the settings")
