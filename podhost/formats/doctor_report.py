"""Collects what the feed doctor finds, joins what repeats, and reads elements by their names."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from podhost.formats.doctor_rules import Finding, Rule, Severity
from podhost.formats.doctor_table import RULES
from podhost.formats.feed_xml import name_of
from podhost.formats.text import remove_forbidden, shown

THE_FEED, THE_SHOW = "the feed", "the show"
_NAMED = 5
# Enough for an address.
_SHOWN_CHARS = 150
_WORST_FIRST: dict[Severity, int] = {"error": 0, "warning": 1, "hint": 2}


class View:
    """An element's children by their names with customary prefixes, and its place in words."""

    __slots__ = ("children", "element", "place")

    def __init__(self, element: Any, place: str) -> None:
        self.element, self.place = element, place
        self.children: dict[str, list[Any]] = {}
        for child in element:
            if isinstance(child.tag, str):
                self.children.setdefault(name_of(child), []).append(child)

    def all(self, name: str) -> list[Any]:
        """The children of this name, in order."""
        return self.children.get(name, [])

    def first(self, name: str) -> Any | None:
        """The first child of this name."""
        found = self.children.get(name)
        return found[0] if found else None

    def raw(self, name: str) -> str | None:
        """The first such child's text as it stands; None when there is none."""
        found = self.children.get(name)
        return whole_text(found[0]) if found else None

    def text(self, name: str) -> str:
        """The first such child's text without spaces around it; empty when there is none."""
        return (self.raw(name) or "").strip()


def whole_text(element: Any) -> str:
    """All text of an element and of what is in it."""
    return "".join(element.itertext()) if len(element) else element.text or ""


class Report:
    """What was found so far. `now` (aware) is for dates in the future; None: unknown."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now
        self._found: dict[tuple[str, str], tuple[Rule, dict[str, str]]] = {}

    def add(self, rule_id: str, place: str, *values: object, field: str = "") -> None:
        """Note that a rule of the table is broken; with `field`, its message begins with it."""
        self.add_rule(rule_id, RULES[rule_id], place, *values, field=field)

    def add_rule(
        self, rule_id: str, rule: Rule, place: str, *values: object, field: str = ""
    ) -> None:
        """Note that this rule is broken; what was found is made fit for a sentence."""
        general = place if place in (THE_FEED, THE_SHOW) else ""
        key = (rule_id, f"{general} {field}")
        _, places = self._found.setdefault(key, (rule, {}))
        if place not in places:
            said = [
                shown(remove_forbidden(str(value)), _SHOWN_CHARS)
                for value in (field, *values)
                if value != ""
            ]
            wanted = rule.message.count("{}")
            places[place] = rule.message.format(*(said + [""] * wanted)[:wanted])

    def findings(self) -> list[Finding]:
        """All of it, the worst first, else in the order in which it was found."""
        return sorted(self._joined(), key=lambda finding: _WORST_FIRST[finding.severity])

    def _joined(self) -> Iterator[Finding]:
        for (rule_id, _), (rule, places) in self._found.items():
            named = list(places)[:_NAMED]
            place = "; ".join(named)
            if len(places) > _NAMED:
                place += f"; and {len(places) - _NAMED:,} more"
            messages = list(dict.fromkeys(places.values()))
            message = messages[0] if len(messages) == 1 else f"For instance: {messages[0]}"
            yield Finding(rule.severity, rule_id, place, message, rule.fix, rule.source)
