from typing import get_args

import pytest

from learners.method_names import MethodName, compares, learns_from, needs

METHODS = get_args(MethodName)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_needs_only_what_it_learns_from(method: MethodName) -> None:
    for kinds in needs(method):
        assert kinds <= learns_from(method)


def test_only_methods_that_compare_learn_from_what_must_not_be_imitated() -> None:
    assert [method for method in METHODS if "avoid" in learns_from(method)] == ["kto"]
    assert [method for method in METHODS if compares(method)] == ["dpo", "kto"]


def test_a_pair_alone_is_enough_for_every_method() -> None:
    assert all("prefer" in kinds for method in METHODS for kinds in needs(method))
