"""Languages, time zones, categories and roles to choose from, by their names; it reads no rows.

Names are Babel's (Unicode CLDR) in the studio's language. Making them takes a tenth of a second,
so they are kept.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from podhost.formats.categories import categories
from podhost.formats.languages import is_language_code
from podhost.formats.podcast_namespace import PERSON_ROLES

Choices = Sequence[tuple[str, str]]
GroupedChoices = Mapping[str, Choices]

# Names of the past that lead to others, and places that are none.
_OLD_REGIONS = (
    *("Brazil/", "Canada/", "Chile/", "Etc/", "Mexico/"),
    *("SystemV/", "US/", "posix/", "right/"),
)


def language_choices(studio_language: str, chosen: str = "") -> Choices:
    """Codes as feeds have them, with names, by name; one that is not known stays as it is."""
    known = _languages(studio_language)
    if chosen and chosen not in dict(known):
        return [(chosen, chosen), *known]
    return known


def time_zone_choices(studio_language: str, now: datetime, chosen: str = "") -> GroupedChoices:
    """Zones by region, each with its town and how far it is from UTC now."""
    known = _time_zones(studio_language, now.astimezone(UTC).date().isoformat())
    if chosen and not any(chosen == name for zones in known.values() for name, _ in zones):
        return {**known, "": [(chosen, chosen), *known[""]]}
    return known


def category_choices(say: Callable[[str], str]) -> GroupedChoices:
    """Apple's categories with their subcategories in Apple's order, as `say` has them."""

    def named(name: str) -> str:
        # Some of these words mean something else elsewhere in the studio.
        own = f"{name} (category)"
        return found if (found := say(own)) != own else say(name)

    return {
        named(parent): [
            (parent, named(parent)),
            *((f"{parent} > {child}", named(child)) for child in children),
        ]
        for parent, children in categories().items()
    }


@lru_cache(maxsize=1)
def role_choices() -> Sequence[str]:
    """The roles of the Podcast Taxonomy, by name."""
    return sorted(PERSON_ROLES)


@lru_cache(maxsize=8)
def _languages(studio_language: str) -> Choices:
    from babel import Locale

    found = [
        (code, name[:1].upper() + name[1:])
        for known, name in Locale.parse(studio_language).languages.items()
        if is_language_code(code := known.lower().replace("_", "-"))
    ]
    return sorted(found, key=lambda choice: choice[1].casefold())


@lru_cache(maxsize=8)
def _time_zones(studio_language: str, day: str) -> GroupedChoices:
    offsets = _offsets(day)
    regions: dict[str, list[tuple[str, str]]] = {"": [("UTC", "UTC")]}
    for name, town in _towns(studio_language):
        label = f"{town} (UTC{offsets[name]})"
        regions.setdefault(name.partition("/")[0], []).append((name, label))
    return {
        region: sorted(zones, key=lambda zone: zone[1].casefold())
        for region, zones in regions.items()
    }


@lru_cache(maxsize=2)
def _offsets(day: str) -> Mapping[str, str]:
    """How far each zone is from UTC on a day, such as +01:00: the same in each language."""
    moment = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    found = {}
    for name in _zones():
        offset = moment.astimezone(ZoneInfo(name)).strftime("%z")
        found[name] = f"{offset[:3]}:{offset[3:5]}"
    return found


@lru_cache(maxsize=8)
def _towns(studio_language: str) -> Choices:
    """Zones with what their towns are called, which unlike their offsets are the same each day."""
    from babel.dates import get_timezone_location

    return [
        (name, get_timezone_location(name, locale=studio_language, return_city=True))
        for name in _zones()
    ]


@lru_cache(maxsize=1)
def _zones() -> Sequence[str]:
    """The names of zones to choose from."""
    return sorted(
        name for name in available_timezones() if "/" in name and not name.startswith(_OLD_REGIONS)
    )
