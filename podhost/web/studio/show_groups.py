"""All groups of a show's settings, in the order of their tabs."""

from podhost.web.studio.show_fields import Group, by_name
from podhost.web.studio.show_fields_about import ABOUT, ARTWORK, PEOPLE
from podhost.web.studio.show_fields_feed import ADVANCED, APPS, FEED, MOVE

# Those that are pages of the settings; the move has a page of its own.
GROUPS: tuple[Group, ...] = (ABOUT, ARTWORK, PEOPLE, APPS, FEED, ADVANCED)
EVERY_GROUP: tuple[Group, ...] = (*GROUPS, MOVE)
PLACES = by_name(EVERY_GROUP)


def find_group(name: str) -> Group | None:
    """The group of this name, if there is one."""
    return next((group for group in GROUPS if group.name == name), None)
