"""Logs of APISIX's plugins kafka-logger and http-logger, with include_req_body and include_resp_body."""

from collections.abc import Sequence

from daemon.domain.conversation import Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.envelopes.gateway import decode_http_log, is_http_log
from daemon.intake.formats.identity import object_at
from daemon.intake.formats.reading import Reading


class ApisixFormat:
    """``request`` and ``response`` with a ``body`` each, ``route_id``, ``start_time`` and ``client_ip``."""

    name = "apisix"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is an HTTP log; any other gateway's that looks like it is read too."""
        return is_http_log(record) and "response" in record

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        asked, response = object_at(record, "request").get("body"), object_at(record, "response")
        if not _ANSWERS.isdisjoint(response):  # the body itself stands in the response's place
            return decode_http_log(record, asked, response, reading, at=("request.body", "response"))
        return decode_http_log(
            record, asked, response.get("body"), reading, at=("request.body", "response.body")
        )


_ANSWERS = frozenset({"choices", "output", "content"})
