"""Vectors of one language: what is nearest is the same as of a fresh table, whatever came and went before."""

import random

import pytest

from services.coordination.duplicates.meaning import NEAR, WIDTH, Vectors

numpy = pytest.importorskip("numpy", reason="comes with the extra crosslingual")


def test_what_is_nearest_depends_on_what_is_there_and_not_on_what_was() -> None:
    dice = numpy.random.default_rng(3)
    drawn = dice.standard_normal((700, WIDTH)).astype(numpy.float32)
    units = drawn / numpy.linalg.norm(drawn, axis=1, keepdims=True)
    vectors, there = Vectors(numpy), dict[int, int]()
    steps = random.Random(3)
    for _ in range(2_000):
        number, at = steps.randrange(600), steps.randrange(700)
        if steps.random() < 0.4:
            vectors.drop(number)
            there.pop(number, None)
        else:
            vectors.put(number, units[at])
            there[number] = at
    asked = units[5]
    expected = sorted((-float(units[at] @ asked), number) for number, at in there.items())
    assert list(vectors.nearest(asked)) == [number for _, number in expected[: NEAR + 1]]


def test_where_nothing_is_nothing_is_near() -> None:
    vectors = Vectors(numpy)
    vectors.put(1, numpy.ones(WIDTH))
    vectors.drop(1)
    assert vectors.nearest(numpy.ones(WIDTH)) == {}
