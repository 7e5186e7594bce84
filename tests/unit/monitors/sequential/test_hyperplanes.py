import numpy as np
import pytest

from monitors.sequential.hyperplanes import CODES, centre_of, codes_of

ORIGIN = np.zeros(384, dtype=np.float32)


def a_vector(seed: int, dimensions: int = 384) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(dimensions).astype("<f4")


def common(one: np.ndarray, other: np.ndarray) -> float:
    """The share of tokens that both have."""
    first, second = codes_of(one.tobytes(), ORIGIN), codes_of(other.tobytes(), ORIGIN)
    return len(set(first) & set(second)) / len(first)


def test_a_vector_gives_a_token_of_each_group_whatever_its_length() -> None:
    vector = a_vector(1)

    codes = codes_of(vector.tobytes(), ORIGIN)

    assert len(codes) == 64
    assert len(set(codes)) == 64
    assert codes.min() >= 0
    assert codes.max() < CODES
    assert (codes_of((3 * vector).tobytes(), ORIGIN) == codes).all()


def test_the_nearer_two_vectors_the_more_tokens_they_share() -> None:
    one, far = a_vector(1), a_vector(2)

    shared = [common(one, one + share * (far - one)) for share in (0.1, 0.3, 0.5, 1.0)]

    assert shared == sorted(shared, reverse=True)
    assert shared[0] > 0.7
    assert shared[-1] < 0.2


@pytest.mark.parametrize(
    "vector", [b"", np.zeros(8, "<f4").tobytes(), np.full(8, np.nan, "<f4").tobytes(), np.full(8, np.inf, "<f4").tobytes()]
)  # fmt: skip
def test_what_has_no_direction_says_nothing(vector: bytes) -> None:
    assert len(codes_of(vector, np.zeros(8, dtype=np.float32))) == 0
    assert centre_of([vector]) is None


def test_around_their_centre_vectors_of_a_narrow_cone_are_told_apart_as_any() -> None:
    cone = 20 * a_vector(99)
    one, other = a_vector(1), a_vector(2)
    centre = centre_of([(cone + a_vector(n)).tobytes() for n in range(100, 300)])
    assert centre is not None

    def shared(around: np.ndarray) -> int:
        codes = [set(codes_of((cone + vector).tobytes(), around)) for vector in (one, other)]
        return len(codes[0] & codes[1])

    assert shared(ORIGIN) > 50
    assert shared(centre) < 15
