"""Disguises: what somebody does to an application who wants it paid a second time. Seeded, so that they are always the same."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

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
Disguise = Callable[[Work, Sequence[Work], random.Random], tuple[Work, tuple[str, ...]]]


def renamed(
    work: Work, others: Sequence[Work], dice: random.Random
) -> tuple[Work, tuple[str, ...]]:
    """Another title, another name for the system, the applicant's name replaced."""
    names = dict[str, str]()
    shouting = work.abstract.upper() == work.abstract

    def other(match: re.Match[str]) -> str:
        return names.setdefault(match.group(), "".join(dice.choices(SYLLABLES, k=3)).upper())

    text = work.abstract if shouting else NAME.sub(other, work.abstract)
    for word in work.applicant.split()[:2]:
        text = re.sub(rf"\b{re.escape(word)}\b", "Tianhe", text, flags=re.IGNORECASE)
    return replace(work, title=_title(work, dice), abstract=text), (work.id,)


def padded(work: Work, others: Sequence[Work], dice: random.Random) -> tuple[Work, tuple[str, ...]]:
    """As much again of another's sentences, all of them shuffled; the title is another."""
    own = _sentences(work)
    filling = [s for other in dice.sample(list(others), 6) for s in _sentences(other)[:4]]
    dice.shuffle(filling)
    return _of(work, _shuffled([*own, *filling[: max(2, len(own))]], dice), dice), (work.id,)


def split(work: Work, others: Sequence[Work], dice: random.Random) -> tuple[Work, tuple[str, ...]]:
    """One half of the work, as an application of its own."""
    own = _sentences(work)
    half = (len(own) + 1) // 2
    return _of(work, own[:half] if dice.random() < 0.5 else own[-half:], dice), (work.id,)


def combined(
    work: Work, others: Sequence[Work], dice: random.Random
) -> tuple[Work, tuple[str, ...]]:
    """Two works made one: most of each."""
    other = dice.choice(others)
    parts = [_most(_sentences(source), dice) for source in (work, other)]
    return _of(work, [*parts[0], *parts[1]], dice), (work.id, other.id)


def paraphrased(
    work: Work, others: Sequence[Work], dice: random.Random
) -> tuple[Work, tuple[str, ...]]:
    """Other words wherever there are some, sentences dropped and moved, names changed."""
    own = _sentences(renamed(work, others, dice)[0])
    kept = [s for s in own if len(own) < 4 or dice.random() >= DROPPED] or own
    return _of(work, [_reworded(s, dice) for s in _shuffled(kept, dice)], dice), (work.id,)


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


def _shuffled(sentences: list[str], dice: random.Random) -> list[str]:
    return dice.sample(sentences, len(sentences))


def _of(work: Work, sentences: Sequence[str], dice: random.Random) -> Work:
    joint = "" if is_chinese(work.abstract) else " "
    ended = [s if s[-1] in ".!?;。！？；" else s + ("。" if not joint else ".") for s in sentences]
    return replace(work, title=_title(work, dice), abstract=joint.join(ended))


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
