"""Disguises: what somebody does to an application who wants it paid a second time. Seeded, so that they are always the same."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.duplicates.corpus import Work
from bench.duplicates.synonyms import ENGLISH, GENERIC_TITLES, HAN, HAN_TITLES
from services.coordination.duplicates.text import is_chinese, take_apart

NAME = re.compile(r"\b(?:[A-Z][A-Za-z]*[A-Z][A-Za-z0-9]*|[A-Z]{3,})\b")
SYLLABLES = [
    "ba",
    "co",
    "da",
    "fe",
    "gi",
    "ka",
    "lo",
    "mu",
    "ne",
    "po",
    "ra",
    "si",
    "ta",
    "vu",
    "xe",
    "zo",
]
SWAPPED = 0.85  # of the words that have a synonym
DROPPED = 0.15  # of a paraphrase's sentences


@dataclass(frozen=True)
class Rewrite:
    """A disguised work. `sources`: ids of what it was made of; `origins`: sentence → the sentence that it was made of."""

    work: Work
    sources: tuple[str, ...]
    origins: dict[str, str]


Disguise = Callable[[Work, Sequence[Work], random.Random], Rewrite]


def renamed(work: Work, others: Sequence[Work], dice: random.Random) -> Rewrite:
    """Another title, other names for the system and its parts, the applicant's name replaced."""
    own = _sentences(work)
    new = _names_changed(work, own, dice)
    return _of(work, list(zip(new, own, strict=True)), dice)


def padded(work: Work, others: Sequence[Work], dice: random.Random) -> Rewrite:
    """As much again of others' sentences, all of them shuffled; the title is another."""
    own = [(s, s) for s in _sentences(work)]
    filling = [(s, "") for other in dice.sample(list(others), 6) for s in _sentences(other)[:4]]
    dice.shuffle(filling)
    return _of(work, _shuffled([*own, *filling[: max(2, len(own))]], dice), dice)


def split(work: Work, others: Sequence[Work], dice: random.Random) -> Rewrite:
    """One half of the work, as an application of its own."""
    own = [(s, s) for s in _sentences(work)]
    half = (len(own) + 1) // 2
    return _of(work, own[:half] if dice.random() < 0.5 else own[-half:], dice)


def combined(work: Work, others: Sequence[Work], dice: random.Random) -> Rewrite:
    """Two works made one: two thirds of each."""
    other = dice.choice(others)
    parts = [(s, s) for source in (work, other) for s in _most(_sentences(source), dice)]
    return _of(work, parts, dice, (work.id, other.id))


def paraphrased(work: Work, others: Sequence[Work], dice: random.Random) -> Rewrite:
    """Other words wherever there are some, sentences dropped and moved, names changed."""
    own = _sentences(work)
    new = [_reworded(s, dice) for s in _names_changed(work, own, dice)]
    pairs = list(zip(new, own, strict=True))
    kept = [pair for pair in pairs if len(own) < 4 or dice.random() >= DROPPED] or pairs
    return _of(work, _shuffled(kept, dice), dice)


DISGUISES: dict[str, Disguise] = {
    "renamed": renamed,
    "padded": padded,
    "split": split,
    "combined": combined,
    "paraphrased": paraphrased,
}


def _sentences(work: Work) -> list[str]:
    text = take_apart(work.abstract)
    return [text.quote(index) for index in range(len(text.sentences))]


def _most(sentences: list[str], dice: random.Random) -> list[str]:
    """Return about two thirds, in their order."""
    count = max(1, (2 * len(sentences) + 2) // 3)
    return [sentences[i] for i in sorted(dice.sample(range(len(sentences)), count))]


def _names_changed(work: Work, sentences: list[str], dice: random.Random) -> list[str]:
    names = dict[str, str]()

    def other(match: re.Match[str]) -> str:
        return names.setdefault(match.group(), "".join(dice.choices(SYLLABLES, k=3)).upper())

    letters = [character.isupper() for character in work.abstract if character.isalpha()]
    shouting = 2 * sum(letters) > len(letters)
    words = "|".join(re.escape(word) for word in work.applicant.split()[:2])
    applicant = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    new = sentences if shouting else [NAME.sub(other, s) for s in sentences]
    return [applicant.sub("Tianhe", s) for s in new]


def _shuffled(pairs: list[tuple[str, str]], dice: random.Random) -> list[tuple[str, str]]:
    return dice.sample(pairs, len(pairs))


def _of(
    work: Work,
    pairs: Sequence[tuple[str, str]],
    dice: random.Random,
    sources: tuple[str, ...] = (),
) -> Rewrite:
    chinese = is_chinese(work.abstract)
    end, joint = ("。", "") if chinese else (".", " ")
    said = joint.join(s if s[-1] in ".!?;。！？；" else s + end for s, _ in pairs)
    new = replace(work, title=_title(work, dice), abstract=said)
    return Rewrite(new, sources or (work.id,), dict(pairs))


def _title(work: Work, dice: random.Random) -> str:
    return dice.choice(HAN_TITLES if is_chinese(work.abstract) else GENERIC_TITLES)


def _reworded(sentence: str, dice: random.Random) -> str:
    if is_chinese(sentence):
        for word, others in HAN.items():
            if word in sentence and dice.random() < SWAPPED:
                sentence = sentence.replace(word, dice.choice(others))
        return sentence

    def other(match: re.Match[str]) -> str:
        word = match.group()
        choices = ENGLISH.get(word.lower())
        if not choices or dice.random() >= SWAPPED:
            return word
        chosen = dice.choice(choices)
        return chosen.upper() if word.isupper() else chosen

    return re.sub(r"[A-Za-z]+", other, sentence)
