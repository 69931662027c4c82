"""How like two names of projects are, and why: for a person who decides, not instead of him.

A word counts by how rare it is among the names of the same city: "smart" says little in a network
of smart cities, "wetlands" much. Letters count beside words, so that spellings and plurals do not
part what belongs together.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from nagara.network.model import Row

#: Below this nobody recognised a pair as the same project when the 2022–2025 rows were looked at.
SCORE_MIN = 0.30
PROPOSALS_MAX = 3  # for each later title
_WORDS = re.compile(r"[^\W_]+")
#: They tell no project from another in a network of smart cities.
_EMPTY = frozenset(
    {"the", "a", "an", "of", "and", "for", "in", "to", "with", "by", "through", "on", "at", "its"}
    | {"based", "city", "project", "system", "smart"}
)
_FOCUS, _WORD, _LETTER = 0.15, 0.55, 0.30


class Reason(Struct, frozen=True):
    """Why a pair is proposed: a code with its parameters (texts in words/*.json)."""

    code: str
    params: dict[str, str]


class Proposal(Struct, frozen=True):
    """An earlier title that may have become a later one; `score` 0 – 1."""

    earlier: int
    later: int
    score: float
    reasons: tuple[Reason, ...]


class Named(Struct, frozen=True):
    """A title with what is needed to compare it."""

    id: int
    name: str
    focus: str
    first_year: int
    last_year: int


def words_of(name: str) -> frozenset[str]:
    """The words of a name that tell it from others."""
    found = [w.casefold() for w in _WORDS.findall(name)]
    kept = {w[:-1] if len(w) > 4 and w.endswith("s") else w for w in found if w not in _EMPTY}
    return frozenset(kept or found)


def trigrams(name: str) -> frozenset[str]:
    """Three letters at a time, words apart."""
    text = "  " + "  ".join(w.casefold() for w in _WORDS.findall(name)) + " "
    return frozenset(text[i : i + 3] for i in range(len(text) - 2))


def rarity(names: Iterable[str]) -> Mapping[str, float]:
    """Weight of each word: 1 in one name of many, less the more names have it."""
    texts = [words_of(name) for name in names]
    seen = Counter(word for text in texts for word in text)
    total = max(2, len(texts))
    return {word: 0.2 + 0.8 * math.log(total / n) / math.log(total) for word, n in seen.items()}


def likeness(earlier: str, later: str, weights: Mapping[str, float]) -> tuple[float, float]:
    """Likeness by words (weighted) and by letters, each 0 – 1 and the same both ways round."""
    a, b = words_of(earlier), words_of(later)

    def weigh(words: Iterable[str]) -> float:
        return sum(weights.get(word, 1.0) for word in words)

    common, smaller, all_ = weigh(a & b), min(weigh(a), weigh(b)), weigh(a | b)
    by_words = 0.5 * common / smaller + 0.5 * common / all_ if smaller and all_ else 0.0
    x, y = trigrams(earlier), trigrams(later)
    by_letters = 2 * len(x & y) / (len(x) + len(y)) if x and y else 0.0
    return by_words, by_letters


def propose(titles: Sequence[Named], settled: Iterable[tuple[int, int]] = ()) -> list[Proposal]:
    """Pairs of one city's titles that may be one project, the likeliest first.

    Only an earlier title that stopped before the later one began; never two of the same year.
    """
    known = set(settled)
    weights = rarity(title.name for title in titles)
    found: list[Proposal] = []
    for later in titles:
        mine: list[Proposal] = []
        for earlier in titles:
            if earlier.last_year >= later.first_year or (earlier.id, later.id) in known:
                continue
            made = _compare(earlier, later, weights)
            if made is not None:
                mine.append(made)
        mine.sort(key=lambda p: (-p.score, p.earlier))
        found += mine[:PROPOSALS_MAX]
    return sorted(found, key=lambda p: (-p.score, p.later, p.earlier))


def _compare(earlier: Named, later: Named, weights: Mapping[str, float]) -> Proposal | None:
    by_words, by_letters = likeness(earlier.name, later.name, weights)
    same_focus = earlier.focus == later.focus
    score = _WORD * by_words + _LETTER * by_letters + (_FOCUS if same_focus else 0.0)
    gap = later.first_year - earlier.last_year
    score *= 0.9 ** max(0, gap - 1)  # a year in between makes it less likely
    common = sorted(words_of(earlier.name) & words_of(later.name))
    if score < SCORE_MIN or (not common and by_letters < 0.5):
        return None
    reasons = [Reason("letters", {"percent": f"{100 * by_letters:.0f}"})]
    if common:
        reasons.insert(0, Reason("words", {"words": ", ".join(common)}))
    reasons.append(Reason("same-focus" if same_focus else "other-focus", {}))
    reasons.append(
        Reason("next-year" if gap == 1 else "gap", {"from": str(earlier.last_year),
                                                    "to": str(later.first_year)})
    )  # fmt: skip
    return Proposal(earlier.id, later.id, round(score, 3), tuple(reasons))


def rows_as_titles(rows: Iterable[Row]) -> list[Named]:
    """The titles of rows of one city, with the focus area of their last year."""
    found: dict[int, Named] = {}
    for row in sorted(rows, key=lambda r: r.year):
        known = found.get(row.title)
        first = known.first_year if known else row.year
        found[row.title] = Named(row.title, row.name, row.focus, first, row.year)
    return list(found.values())
