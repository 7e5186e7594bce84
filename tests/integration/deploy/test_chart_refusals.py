"""Values that can't work are refused before anything is installed, and named."""

import pytest

from deploy.helm.programs import ProgramFailed
from tests.support.chart import rendered


@pytest.mark.parametrize(
    ("mode", "value", "named"),
    [
        (None, "config.kafka.topics=a", "/config/kafka': additional properties 'topics' not allowed"),
        (None, "config.kafka.topic=a b", "/config/kafka/topic'"),
        (None, "config.windows.size=many", "/config/windows/size': got string, want integer"),
        (None, "config.windows.size=0", "/config/windows/size'"),
        (None, "config.logging.level=LOUD", "/config/logging/level'"),
        (None, "config.learning.where=gpu", "/config/learning/where'"),
        (None, "config.model.base=", "/config/model/base'"),
        (None, "config.kafka.sasl_password=geheim", "additional properties 'sasl_password' not allowed"),
        (None, "config.kafka.instance_id=a", "additional properties 'instance_id' not allowed"),
        (None, "config.ledger_url=postgresql://me:geheim@db/retuned", "/config/ledger_url'"),
        (None, "config.lines.support.kafka.topics=a", "/config/lines/support/kafka': additional properties 'topics'"),
        (None, "config.lines.support.logging.level=INFO", "additional properties 'logging' not allowed"),
        (None, "config.lines.Support.kafka.topic=a", "additional properties 'Support' not allowed"),
        (None, "replicas=2", "additional properties 'replicas' not allowed"),
        (None, "image.pullPolicy=Sometimes", "/image/pullPolicy'"),
        (None, "image.digest=latest", "/image/digest'"),
        (None, "terminationGracePeriodSeconds=10", "/terminationGracePeriodSeconds'"),
        (None, "extraEnv[0].value=1", "/extraEnv/0': missing property 'name'"),
        (None, "extraEnv[0].value=1,extraEnv[0].name=A", "/extraEnv/0/value': got number, want string"),
        (None, "secretFiles[0].setting=kafka.topic", "/secretFiles/0"),
        (None, "persistence.size=much", "/persistence/size'"),
        (None, "networkPolicy.egress.kafka.ports[0]=0", "/networkPolicy/egress/kafka/ports/0'"),
        (None, "replicaCount=3", "several replicas share a ledger on PostgreSQL: set ledger.existingSecret"),
        (None, "autoscaling.enabled=true", "several replicas share a ledger on PostgreSQL"),
        (None, "ledger.existingSecret=ledger", "set config.artifacts_url"),
        ("replicated", "secretFiles=null", "share the holdout key"),
        ("replicated", "target.enabled=false", "replicas share the folder of live.json: set target.enabled"),
        ("replicated", "config.ledger_url=postgresql://db/retuned", "both name the ledger"),
        ("replicated", "persistence.existingClaim=mine", "persistence.existingClaim is one replica's volume"),
        ("embedded", "model.image.reference=base:1", "the base model has one source"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_named(mode: str | None, value: str, named: str) -> None:
    with pytest.raises(ProgramFailed) as refused:
        rendered(mode, value)

    assert named in str(refused.value)
    assert "geheim" not in str(refused.value)
