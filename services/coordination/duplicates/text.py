"""What a text is made of: sentences, each a stretch of it, and terms that renaming and inflection leave alone."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

WORD = re.compile(r"[0-9a-z]+|[\u3400-\u9fff]+")
PARAGRAPH = re.compile(r"\n\s*\n")
END = re.compile(r"[。！？；]+[”’」』）]*|[.!?;]+[\"')\]]*(?=\s)")
SHORTEST = 12  # characters; what is shorter is no sentence by itself
WIDE = 2  # a Chinese character says about as much as that many letters
MIN_WORD, MAX_WORD = 3, 40
HAN = "\u3400"
STOP = frozenset(
    re.findall(
        r"\S+",
        """
        the and for that with this are was were will from which have has had not but its their they these those than then
        can may such also into between both each other more most some any all our you your his her one two three via per
        been being over under about through during within without where when while who whom how what there here use used
        using provide provided provides proposed propose proposes develop developed development project phase
        """,
    )
)
STOP_HAN = frozenset(
    re.findall(
        r"\S+",
        "的 了 和 与 及 在 是 为 将 对 并 等 中 以 于 有 可 其 该 本 这 那 或 也 从 由 把 被 使 我们 他们 项目",
    )
)
CLASSES = (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: `text[start:end]` of the text that it stands in, and its terms in their order."""

    start: int
    end: int
    terms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text taken apart. `said`: as it was given. `terms`: all of its terms, each once."""

    said: str
    sentences: tuple[Sentence, ...]
    terms: frozenset[int]

    def quote(self, index: int) -> str:
        sentence = self.sentences[index]
        return self.said[sentence.start : sentence.end]


@lru_cache(maxsize=4096)
def take_apart(said: str) -> Text:
    """Return the sentences and terms of a text."""
    sentences = tuple(
        Sentence(start, end, tuple(terms_of(said[start:end]))) for start, end in _stretches(said)
    )
    return Text(said, sentences, frozenset(t for s in sentences for t in s.terms))


def terms_of(said: str) -> Iterator[int]:
    """Yield the terms of a text in their order: stems of words, pairs of neighbouring Chinese characters."""
    folded = said if said.isascii() else unicodedata.normalize("NFKC", said)
    for word in WORD.findall(folded.casefold()):
        if word[0] >= HAN:
            yield from map(key_of, _pairs(word))
        elif term := _word(word):
            yield term


@lru_cache(maxsize=1 << 17)
def key_of(term: str) -> int:
    """Return a term's number, the same everywhere: 63 bits, so that every database can hold it."""
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest()) >> 1


def is_chinese(said: str) -> bool:
    """Tell whether a text is written mostly in Chinese."""
    han = sum(HAN <= character <= "\u9fff" for character in said)
    latin = sum(character.isascii() and character.isalpha() for character in said)
    return han * WIDE * 2 > latin


def _stretches(said: str) -> Iterator[tuple[int, int]]:
    """Yield where sentences begin and end; a fragment goes with what follows, but nothing runs over paragraphs."""
    for first, last in _paragraphs(said):
        start = first
        for match in END.finditer(said, first, last):
            if _length(said[start : match.end()]) >= SHORTEST:
                yield from _trimmed(said, start, match.end())
                start = match.end()
        yield from _trimmed(said, start, last)


def _paragraphs(said: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in PARAGRAPH.finditer(said):
        yield start, match.start()
        start = match.end()
    yield start, len(said)


def _trimmed(said: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    stretch = said[start:end]
    kept = stretch.strip()
    if kept:
        start += len(stretch) - len(stretch.lstrip())
        yield start, start + len(kept)


def _length(stretch: str) -> int:
    wide = 0 if stretch.isascii() else sum(character >= HAN for character in stretch)
    return len(stretch) + wide


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1 and run not in STOP_HAN:
        yield run
    for first, second in pairwise(run):
        if first not in STOP_HAN and second not in STOP_HAN and first + second not in STOP_HAN:
            yield first + second


@lru_cache(maxsize=1 << 17)
def _word(word: str) -> int:
    """Return the number of a word's stem; 0: it is no term."""
    said = MIN_WORD <= len(word) <= MAX_WORD and word not in STOP
    return key_of(stem(word)) if said else 0


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return a word without what inflection adds; not a dictionary's stem, but the same for its forms."""
    for ending, instead in CLASSES:
        if word.endswith(ending):
            word = word.removesuffix(ending) + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word.removesuffix(ending)
            break
    return word.removesuffix("e") if len(word) > MIN_WORD + 1 else word
