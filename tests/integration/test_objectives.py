"""What the objectives weigh, keep and compare; test_preference_losses.py has the losses themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from learners.encoding.lessons import EncodedLesson
from learners.encoding.packing import packed_row
from learners.encoding.rows import Encoded
from learners.models.loading import load_base
from learners.models.lora import adapter_config, attach, linears_of
from learners.training.loss import token_losses
from learners.training.methods import METHODS
from learners.training.objectives.dpo import DirectPreference
from learners.training.objectives.kto import KahnemanTversky, balance, mismatched
from learners.training.objectives.likelihoods import log_likelihoods, losses_of
from learners.training.objectives.objective import Part
from learners.training.objectives.supervised import Supervised
from learners.training.peers import ALONE, Peers
from learners.training.schedule import Step
from learners.training.train import train
from learners.types import LoraSettings
from tests.factories.learners import a_request, quick_settings, some_conversations
from tests.support.tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def model(base: Path) -> PeftModel:
    loaded = load_base(base, torch.float32, torch.device("cpu"))
    linears = linears_of(loaded)
    torch.manual_seed(0)
    return attach(loaded, adapter_config(quick_settings(dropout=0.3), linears), linears).train()


def a_row(seed: int, length: int = 30, prompt: int = 10) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 400, (length,), generator=generator).tolist()
    return Encoded(id=f"r{seed}", ids=tuple(ids), targets=(*[False] * prompt, *[True] * (length - prompt)))


def a_lesson(
    imitated: Sequence[Encoded] = (), avoided: Sequence[Encoded] = (), weight: float = 1.0
) -> EncodedLesson:
    return EncodedLesson(id="l", weight=weight, imitated=tuple(imitated), avoided=tuple(avoided), left_out={})


class Unweighted(Supervised):
    """The loss as it was before lines had weights."""

    def parts(self, model: PeftModel, step: Step, peers: Peers = ALONE) -> Iterator[Part]:
        rows = [packed_row([self._rows[unit] for unit in units]) for units in peers.share(step)]
        targets = sum(row.target_tokens for row in rows)
        for row in rows:
            loss = token_losses(model, row).sum() / targets
            yield Part(loss=loss, tokens=row.tokens, target_tokens=row.target_tokens)


def unweighted(lessons: Sequence[EncodedLesson], _: LoraSettings) -> Unweighted:
    return Unweighted(lessons)


def test_lines_of_weight_one_give_the_bytes_that_they_gave_without_weights(
    base: Path, tmp_path: Path
) -> None:
    plain = partial(train, method="lora", make_objective=unweighted)

    before = plain(a_request(tmp_path / "a", base), lambda _: None, lambda: False)
    after = METHODS["lora"](a_request(tmp_path / "b", base), lambda _: None, lambda: False)

    assert after.digest == before.digest


def test_weights_change_what_is_learned(base: Path, tmp_path: Path) -> None:
    heavy = [replace(one, weight=1 + n % 3) for n, one in enumerate(some_conversations())]

    one = METHODS["lora"](a_request(tmp_path / "a", base), lambda _: None, lambda: False)
    other = METHODS["lora"](
        a_request(tmp_path / "b", base, conversations=heavy), lambda _: None, lambda: False
    )

    assert one.digest != other.digest


def test_each_token_weighs_as_its_line_in_the_whole_step(model: PeftModel) -> None:
    model.eval()
    rows = [a_row(0), a_row(1, length=50), a_row(2)]
    objective = Supervised([a_lesson(rows[:2], weight=3.0), a_lesson(rows[2:], weight=0.5)])

    loss = sum(part.loss.item() for part in objective.parts(model, [[0, 2], [1]]))

    sums = [losses.sum().item() for losses in losses_of(model, rows)]
    weighted = 3 * sums[0] + 3 * sums[1] + 0.5 * sums[2]
    assert loss == pytest.approx(weighted / (3 * 20 + 3 * 40 + 0.5 * 20), rel=1e-5)


def test_a_pair_weighs_as_its_line_among_pairs(model: PeftModel) -> None:
    model.eval()
    pairs = [([a_row(0)], [a_row(1)]), ([a_row(2)], [a_row(3)])]

    def loss(*weights: float) -> float:
        lessons = [a_lesson(*pair, weight=weight) for pair, weight in zip(pairs, weights, strict=True)]
        objective = DirectPreference(lessons, beta=0.1, supervised_weight=0.0)
        objective.restore({"reference": torch.tensor([[-50.0, -90.0], [-90.0, -50.0]])})
        return sum(part.loss.item() for part in objective.parts(model, [[0, 1]]))

    first, second = loss(1.0, 1e-9), loss(1e-9, 1.0)
    assert loss(3.0, 1.0) == pytest.approx((3 * first + second) / 4, rel=1e-4)


def test_a_pair_longer_than_a_row_has_the_gradient_of_one_pass(model: PeftModel) -> None:
    """With dropout, which both passes over a row must draw alike."""
    long = a_lesson([a_row(0, length=400)], [a_row(1, length=300)])
    objective = DirectPreference([long], beta=0.1, supervised_weight=1.0)
    objective.start(model, lambda: None)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]

    torch.manual_seed(1)
    (part,) = objective.parts(model, [[0]])
    found = torch.autograd.grad(part.loss, weights)
    torch.manual_seed(1)
    better, worse = (token_losses(model, packed_row([row])).sum() for row in long.rows)
    margin = -better + worse - float(objective.state["reference"][0] @ torch.tensor([1.0, -1.0]))
    whole = -torch.nn.functional.logsigmoid(0.1 * margin) + better / 390
    expected = torch.autograd.grad(whole, weights)

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_reference_likelihoods_are_without_dropout(model: PeftModel) -> None:
    rows = [a_row(seed, length=200) for seed in range(5)]

    first, second = (log_likelihoods(model, rows, lambda: None) for _ in "ab")

    assert model.training
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("desirable", "undesirable", "weights"),
    [(10, 10, (1, 1)), (4, 3, (1, 1)), (5, 10, (2, 1)), (8, 3, (1, 2)), (1, 100, (100, 1))],
)
def test_the_rarer_side_weighs_more(
    desirable: float, undesirable: float, weights: tuple[float, float]
) -> None:
    assert balance(desirable, undesirable) == pytest.approx(weights)


def test_the_balance_is_stated(model: PeftModel) -> None:
    objective = KahnemanTversky(
        [a_lesson([a_row(0)]), a_lesson([], [a_row(1)], weight=2.0)], beta=0.1, max_tokens=64
    )

    assert objective.facts == {
        "desirable": 1,
        "undesirable": 1,
        "desirable_weight": 2.0,
        "undesirable_weight": 1.0,
    }


def test_mismatched_rows_have_the_answer_to_another_prompt() -> None:
    one, other = a_row(0), a_row(1, length=25, prompt=5)
    sibling = Encoded(id="s", ids=(*one.ids[:10], 7, 8), targets=(*[False] * 10, True, True))

    found = mismatched([one, sibling, other], max_tokens=26)

    assert [row and row.ids for row in found] == [
        (*one.ids[:10], *other.ids[5:])[:26],
        (*one.ids[:10], *other.ids[5:])[:26],
        (*other.ids[:5], 7, 8),
    ]
    assert all(row is not None and row.targets.index(True) in (10, 5) for row in found)


def test_nothing_is_mismatched_where_all_prompts_are_the_same() -> None:
    assert mismatched([a_row(0), a_row(0)], max_tokens=64) == [None, None]
