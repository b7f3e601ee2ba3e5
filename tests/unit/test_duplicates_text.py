"""The text method: what is a sentence, what is a term, what is shared, and that nothing depends on an order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordination.duplicates.comparing import Comparison, Weighed, compare
from services.coordination.duplicates.text import Text, is_chinese, stem, take_apart, terms_of
from services.coordination.duplicates.weighing import PRIOR, Weights, weight
from tests.unit.duplicates_world import BATTERY, GAME, RADAR, WHEAT

ALIKE = Weights(0, {})


def compared(left: Text, right: Text) -> Comparison:
    return compare(Weighed.of(left, ALIKE), Weighed.of(right, ALIKE), ALIKE)


def quotes(said: str) -> list[str]:
    text = take_apart(said)
    return [text.quote(index) for index in range(len(text.sentences))]


def test_sentences_end_at_the_marks_of_both_languages() -> None:
    assert quotes(
        "首先研究界面阻抗演化。其次开发电解质材料！Then we test the cells at scale. It works."
    ) == [
        "首先研究界面阻抗演化。",
        "其次开发电解质材料！",
        "Then we test the cells at scale.",
        "It works.",
    ]


def test_a_fragment_goes_with_what_follows_but_not_over_a_paragraph() -> None:
    assert quotes("Dr. Li leads the work on radar. End.\n\nAnother matter altogether") == [
        "Dr. Li leads the work on radar.",
        "End.",
        "Another matter altogether",
    ]


@given(st.text(max_size=400))
def test_every_sentence_is_a_stretch_of_the_text_and_they_stand_in_order(said: str) -> None:
    text, end = take_apart(said), 0
    for sentence in text.sentences:
        assert end <= sentence.start < sentence.end <= len(said)
        end = sentence.end


@pytest.mark.parametrize(
    "forms",
    [
        ("detect", "detects", "detected", "detecting"),
        ("study", "studies"),
        ("analyze", "analyzed", "analyzing"),
        ("box", "boxes"),
    ],
)
def test_the_forms_of_a_word_are_one_term(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


def test_width_and_case_make_no_other_term() -> None:
    assert list(terms_of("ＲＡＤＡＲ系统")) == list(terms_of("radar系统"))


def test_a_text_is_chinese_when_most_of_it_is() -> None:
    assert is_chinese("基于 YOLO 与 Transformer 的目标检测方法研究")
    assert not is_chinese("A study of 洛书 as a magic square in early mathematics")


def test_a_rarer_term_weighs_more_and_the_weight_is_exact() -> None:
    weights = [weight(1000, frequency) for frequency in (0, 1, 3, 7, 1000)]
    assert weights == sorted(weights, reverse=True)
    assert weight(2**20 - PRIOR, 2**10 - 1) == 16 * 10


def test_a_text_is_wholly_contained_in_itself_and_hardly_in_another() -> None:
    own, other = take_apart(BATTERY), take_apart(WHEAT)
    same = compared(own, own)
    assert (same.contained, same.aligned, same.copied) == (1000, 1000, 1000)
    assert compared(own, other).score < 100


@pytest.mark.parametrize("copied", [BATTERY, RADAR])
def test_a_copy_is_found_through_padding_and_shuffling(copied: str) -> None:
    filling = WHEAT if is_chinese(copied) else GAME
    sentences = quotes(copied) + quotes(filling)
    random.Random(1).shuffle(sentences)
    assert compared(take_apart(copied), take_apart(" ".join(sentences))).score > 900


def test_exchanging_the_sides_mirrors_the_comparison() -> None:
    mixed = take_apart(quotes(RADAR)[0] + " " + GAME)
    there = compared(take_apart(RADAR), mixed)
    back = compared(mixed, take_apart(RADAR))
    assert (there.contained, there.aligned, there.copied) == (
        back.contained,
        back.aligned,
        back.copied,
    )
    assert {(m.left, m.right) for m in there.matches} == {(m.right, m.left) for m in back.matches}


def test_only_the_copied_sentences_are_evidence() -> None:
    mixed = take_apart(quotes(RADAR)[1] + " " + GAME)
    found = compared(take_apart(RADAR), mixed)
    assert [(m.left, m.right, m.copied) for m in found.matches] == [(1, 0, True)]
