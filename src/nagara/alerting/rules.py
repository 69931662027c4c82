"""From the packs' rules and the city's own thresholds to ladders: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from nagara.alerting.errors import RuleInvalid
from nagara.alerting.model import Ladder, Rung
from nagara.city.model import Threshold
from nagara.pack import Localised, Pack, ThresholdRule
from nagara.vocab.alert import SEVERITIES

#: An hourly sensor may be an hour late and miss one beat; used where a pack names no period.
STALE_AFTER_S = 7200.0


class Override(Struct, frozen=True):
    """A city's own numbers for a pack's rule, with who set them and when."""

    raise_above: float
    clear_below: float
    source: str
    source_date: str


class RuleWords(Struct, frozen=True):
    """What an alert of a rule says to people."""

    name: Localised
    advice: Localised


class RuleBook(Struct, frozen=True):
    """All ladders of a city, by what they listen to, with the words of each rule."""

    ladders: tuple[Ladder, ...]
    words: Mapping[str, RuleWords]

    @property
    def entity_types(self) -> tuple[str, ...]:
        """The types that some ladder listens to, in order."""
        return tuple(sorted({ladder.entity_type for ladder in self.ladders}))

    def listening_to(self, types: Iterable[str]) -> list[Ladder]:
        """The ladders for an entity of these types."""
        wanted = frozenset(types)
        return [ladder for ladder in self.ladders if ladder.entity_type in wanted]

    def ladder(self, ladder_id: str) -> Ladder | None:
        """The ladder of an id; None where its rules have gone."""
        return next((one for one in self.ladders if one.id == ladder_id), None)


#: Rows of a city's thresholds table under this scale, whose `code` is a rule's id, change the rule.
OVERRIDING_SCALE = "alert"


def overrides_of(packs: Iterable[Pack], thresholds: Iterable[Threshold]) -> dict[str, Override]:
    """The city's own numbers for the packs' rules. The distance between raising and clearing stays
    the pack's, because it comes from the unrest of the measured value and not from the law.

    Raises `RuleInvalid` for a row whose unit is not the rule's, or whose rule does not exist.
    """
    rules = {rule.id: rule for pack in packs for rule in pack.rules}
    found = {}
    for row in thresholds:
        if row.scale != OVERRIDING_SCALE:
            continue
        rule = rules.get(row.code)
        if rule is None:
            raise RuleInvalid(rule=row.code, reason="the thresholds table names no rule of a pack")
        if row.unit_code != rule.unit_code:
            raise RuleInvalid(rule=row.code, reason=f"its unit is {rule.unit_code}")
        clear_below = row.value_from - (rule.raise_above - rule.clear_below)
        found[rule.id] = Override(row.value_from, clear_below, row.source, str(row.source_date))
    return found


def rule_book(packs: Iterable[Pack], overrides: Mapping[str, Override]) -> RuleBook:
    """The rules of all packs with the city's numbers laid over them.

    Raises `RuleInvalid` where a rule would clear above the value that raises it, where two rungs
    of a ladder have the same severity or measure in different units, or where two packs bring
    rules of the same id.
    """
    packs = tuple(packs)
    period_s = {limits.attribute: limits.period_s for pack in packs for limits in pack.quality}
    families: dict[str, list[ThresholdRule]] = {}
    words: dict[str, RuleWords] = {}
    for rule in (rule for pack in packs for rule in pack.rules):
        if rule.id in words:
            raise RuleInvalid(rule=rule.id, reason="two rules have this id")
        words[rule.id] = RuleWords(rule.name, rule.advice)
        families.setdefault(ladder_id(rule), []).append(rule)
    ladders = tuple(
        _ladder(one, rules, overrides, 2 * period_s.get(rules[0].attribute, STALE_AFTER_S / 2))
        for one, rules in sorted(families.items())
    )
    return RuleBook(ladders, words)


def ladder_id(rule: ThresholdRule) -> str:
    """The family of a rule: what is measured on what, to say what."""
    return f"{rule.entity_type}.{rule.attribute}.{rule.category}"


def _ladder(
    one: str, rules: list[ThresholdRule], overrides: Mapping[str, Override], stale_after_s: float
) -> Ladder:
    rules = sorted(rules, key=lambda rule: SEVERITIES.index(rule.severity))
    if len({rule.severity for rule in rules}) < len(rules):
        raise RuleInvalid(rule=rules[0].id, reason="two rules of one family have one severity")
    if len({rule.unit_code for rule in rules}) > 1:
        raise RuleInvalid(rule=rules[0].id, reason="the rules of one family differ in unit")
    rungs = tuple(_rung(rule, overrides.get(rule.id)) for rule in rules)
    first = rules[0]
    return Ladder(
        one,
        first.entity_type,
        first.attribute,
        first.unit_code,
        first.category,
        rungs,
        stale_after_s,
    )


def _rung(rule: ThresholdRule, override: Override | None) -> Rung:
    raise_above, clear_below = rule.raise_above, rule.clear_below
    source = f"{rule.source} ({rule.source_date})"
    if override is not None:
        raise_above, clear_below = override.raise_above, override.clear_below
        source = f"{override.source} ({override.source_date})"
    if clear_below > raise_above:
        raise RuleInvalid(rule=rule.id, reason="it would clear above the value that raises it")
    return Rung(
        rule.id,
        rule.severity,
        raise_above,
        clear_below,
        rule.window_s,
        source,
        rule.case_category,
    )
