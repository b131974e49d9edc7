"""A show's live streams one by one: put, changed, deleted; they are a feed tag of the show.

No clock moves a stream on: what its host says last is its status (podcast namespace, liveItem).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy.orm import Session

from podhost.errors import Invalid, NotFound
from podhost.formats.feed_tags import stored_show_tags
from podhost.formats.tag_values import LiveItem, LiveItemInput
from podhost.models import Show
from podhost.shows import ShowInput, change_show

_FIELD = "live_items"


def list_live_items(show: Show) -> Sequence[LiveItem]:
    """The show's live streams, in the order of its feed."""
    return stored_show_tags(show.tags).live_items


def get_live_item(show: Show, guid: str) -> LiveItem:
    """The stream that apps know by this guid. Raises NotFound."""
    found = next((item for item in list_live_items(show) if item.guid == guid), None)
    if found is None:
        raise NotFound(f"The show {show.slug!r} has no live stream {guid!r}.")
    return found


def put_live_item(
    session: Session, show: Show, guid: str, given: LiveItemInput, *, now: datetime
) -> bool:
    """Make the stream be what is given and nothing else; True when there was none before.

    A new one comes last. Raises Invalid with every wrong field.
    """
    entries = _entries(show)
    places = [index for index, entry in enumerate(entries) if entry["guid"] == guid]
    index = places[0] if places else len(entries)
    entries[index : index + 1] = [{"guid": guid} | _said(given)]
    _keep(session, show, entries, index, now)
    return not places


def change_live_item(
    session: Session, show: Show, guid: str, given: LiveItemInput, *, now: datetime
) -> None:
    """Change what is given of a stream. Raises NotFound, or Invalid with every wrong field."""
    get_live_item(show, guid)
    entries = _entries(show)
    index = next(n for n, entry in enumerate(entries) if entry["guid"] == guid)
    entries[index] |= _said(given)
    _keep(session, show, entries, index, now)


def delete_live_item(session: Session, show: Show, guid: str, *, now: datetime) -> None:
    """Take a stream out of the feed. Raises NotFound."""
    get_live_item(show, guid)
    entries = [entry for entry in _entries(show) if entry["guid"] != guid]
    _keep(session, show, entries, 0, now)


def _entries(show: Show) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(item) for item in list_live_items(show)]


def _said(given: LiveItemInput) -> dict[str, Any]:
    values = msgspec.structs.asdict(given)
    return {name: value for name, value in values.items() if value is not UNSET}


def _keep(
    session: Session, show: Show, entries: list[dict[str, Any]], index: int, now: datetime
) -> None:
    """Keep the list as the show's; what is wrong in this entry is named as its own fields are."""
    # Nothing said, and nothing to say, are the same.
    said = [{k: v for k, v in entry.items() if v is not None} for entry in entries]
    try:
        change_show(session, show, ShowInput(live_items=said), now=now)  # type: ignore[arg-type]
    except Invalid as error:
        place = f"{_FIELD}[{index}]."
        named = {path.removeprefix(place): text for path, text in error.fields.items()}
        raise Invalid(" ".join(f"{path}: {text}" for path, text in named.items()), named) from None
