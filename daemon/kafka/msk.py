"""Logs in to Amazon MSK with AWS credentials: the client's mechanism, which says what it lacks."""

import re
from importlib.util import find_spec
from typing import Any

from daemon.kafka.library import AwsMskIamClient, SaslMechanismAwsMskIam, register_sasl_mechanism
from daemon.kafka.login import LoginError

NO_BOTOCORE = "AWS_MSK_IAM needs the package botocore: pip install 'retuned[msk]'"
#: ``b-1.name.abcdef.c2.kafka.eu-west-1.amazonaws.com``, ``boot-abc.c1.kafka-serverless.eu-west-1.amazonaws.com``
_HOST = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")

#: The actions of IAM that stand for a right of Kafka's.
_ACTIONS = {
    ("READ", "topic"): ("DescribeTopic", "ReadData"),
    ("WRITE", "topic"): ("DescribeTopic", "WriteData"),
    ("CREATE", "topic"): ("CreateTopic",),
    ("READ", "group"): ("DescribeGroup", "AlterGroup"),
    ("IDEMPOTENT_WRITE", "cluster"): ("WriteDataIdempotently",),
}


class MskIam(SaslMechanismAwsMskIam):  # type: ignore[misc]
    """Signs with the credentials that botocore finds, for the region of the broker.

    The region is the one in the broker's name; a name without one needs botocore's setting. Raises LoginError.
    """

    def _build_client(self) -> object:
        from botocore.exceptions import BotoCoreError

        try:
            session = self._boto_session_cls()
            found = session.get_credentials()
            credentials = None if found is None else found.get_frozen_credentials()
            region = region_of(self.host) or session.get_config_variable("region")
        except BotoCoreError as error:
            raise LoginError(f"AWS credentials can't be used: {error}") from error
        if credentials is None:
            raise LoginError(
                "botocore finds no AWS credentials: give the process a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY"
            )
        if not region:
            raise LoginError(
                f"the region of {self.host} is unknown: name the brokers as Amazon does, or set AWS_DEFAULT_REGION"
            )
        return AwsMskIamClient(
            host=self.host,
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            region=region,
            token=credentials.token,
        )


def region_of(host: str) -> str | None:
    """Return the AWS region in the name of an MSK broker."""
    found = _HOST.search(host.lower())
    return found and found[1]


def policy_words(operation: str, resource: str) -> str:
    """Return what an IAM policy has to allow for a right of Kafka's."""
    actions = _ACTIONS.get((operation, resource), (operation.title().replace("_", ""),))
    names = " and ".join(f"kafka-cluster:{action}" for action in actions)
    return f"allow {names} in the IAM policy, on the {resource}"


def botocore_is_missing() -> bool:
    """Return whether the optional package is not installed."""
    return find_spec("botocore") is None


def use() -> None:
    """Have the client use this mechanism for AWS_MSK_IAM."""
    mechanism: Any = MskIam
    register_sasl_mechanism("AWS_MSK_IAM", mechanism, overwrite=True)
