"""Shows: create, change, rename, delete, find; it renders nothing and touches no file.

Every change that a reader of the feed could see goes through `touch_show`, the one place that
raises the show's version and enqueues its rendering.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.db import new_id
from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.formats.feed_tags import SHOW_TAGS, read_show_tag
from podhost.formats.feed_words import SHOW_TYPES
from podhost.formats.podcast_namespace import podcast_guid
from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS, one_of
from podhost.formats.tag_values import ShowTagsInput
from podhost.formats.text import slugify
from podhost.jobs import enqueue
from podhost.models import Artwork, Episode, Show, ShowSlug
from podhost.people import CreditInput, set_credits
from podhost.search.rows import INDEX_SHOW

RENDER_SHOW = "render_show"
# Done by moves.py, which reads the new feed.
MOVE_SHOW = "move_show"

# First parts of addresses that the program has, or may come to need.
_RESERVED = """
    about account accounts admin api app apps artwork assets audio auth chapters console
    dashboard docs embed episodes favicon favicon.ico feed feeds files guests guest
    health healthz help hub images import invitations join legal live login logout
    metrics network oembed opml player podcast podhost privacy public readyz register
    robots robots.txt rss search security sessions settings setup shows signup site
    sitemap sitemap.xml static status studio support terms token tokens transcripts
    uploads user users webhooks well-known www
"""
RESERVED_SLUGS = frozenset(_RESERVED.split())

# Apple asks for a category; this one promises the least until the host chooses.
DEFAULT_CATEGORY = ["Society & Culture", None]


class ShowInput(ShowTagsInput, kw_only=True, rename={"show_type": "type"}):
    """What a host may say of a show; fields that are not given stay as they are."""

    title: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    link: str | UnsetType | None = UNSET
    language: str | UnsetType = UNSET
    author: str | UnsetType = UNSET
    copyright: str | UnsetType | None = UNSET
    owner_name: str | UnsetType | None = UNSET
    owner_email: str | UnsetType | None = UNSET
    explicit: bool | UnsetType = UNSET
    show_type: str | UnsetType = UNSET
    categories: list[str | list[str | None]] | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    podcast_guid: str | UnsetType = UNSET
    medium: str | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET
    complete: bool | UnsetType = UNSET
    new_feed_url: str | UnsetType | None = UNSET
    write_tags: bool | UnsetType = UNSET
    moved_to: str | UnsetType | None = UNSET
    moved_audio: bool | UnsetType = UNSET
    people: list[CreditInput] | UnsetType = UNSET


def _guid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("It must be a UUID, such as the podcast:guid of an old feed.") from None


def _medium(value: str) -> str:
    medium: str = one_of(*MEDIUMS, *LIST_MEDIUMS)(value)
    if not medium:
        raise ValueError("It must not be empty.")
    return medium


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "title": ("title", fields.required_line),
    "description": ("description", fields.paragraph),
    "link": ("link", fields.web_url),
    "language": ("language", fields.language),
    "author": ("author", fields.optional_line),
    "copyright": ("copyright", fields.line_or_none),
    "owner_name": ("owner_name", fields.line_or_none),
    "owner_email": ("owner_email", fields.email),
    "explicit": ("explicit", fields.as_given),
    "show_type": ("show_type", fields.one_of(*SHOW_TYPES)),
    "categories": ("categories", fields.categories),
    "time_zone": ("time_zone", fields.time_zone),
    "podcast_guid": ("podcast_guid", _guid),
    "medium": ("medium", _medium),
    "locked": ("is_locked", fields.as_given),
    "blocked": ("is_blocked", fields.as_given),
    "complete": ("is_complete", fields.as_given),
    "new_feed_url": ("new_feed_url", fields.web_url),
    "write_tags": ("write_tags", fields.as_given),
    "moved_to": ("moved_to", fields.web_url),
    "moved_audio": ("moved_audio", fields.as_given),
    **{name: (f"tags.{name}", partial(read_show_tag, name)) for name in SHOW_TAGS},
}


def create_show(session: Session, given: ShowInput, *, base_url: str, now: datetime) -> Show:
    """A new show. Raises Invalid with every wrong field, Conflict when the slug is taken."""
    if given.title is UNSET:
        raise Invalid("title: A show needs a title.", {"title": "A show needs a title."})
    show = Show(
        id=new_id(),
        slug="",
        title="",
        description="",
        language="en",
        author="",
        explicit=False,
        show_type="episodic",
        categories=[],
        time_zone="UTC",
        podcast_guid="",
        medium="podcast",
        is_locked=True,
        is_blocked=False,
        is_complete=False,
        write_tags=False,
        moved_audio=False,
        version=0,
        created_at=now,
        changed_at=now,
    )
    _, errors = fields.apply_given(show, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET:
            show.slug = _own_slug(session, given.slug)
        elif show.title:
            show.slug = _free_slug(session, slugify(show.title, fallback="show", max_chars=56))
    errors.raise_any()
    show.podcast_guid = show.podcast_guid or first_podcast_guid(base_url, show.slug)
    session.add(show)
    session.flush()
    if given.people is not UNSET:
        set_credits(session, show, None, given.people)
    if show.moved_to is not None:
        ask_move(session, show, now=now)
    touch_show(session, show, now=now)
    record_change(session, "show", show.id, now=now)
    return show


def change_show(session: Session, show: Show, given: ShowInput, *, now: datetime) -> bool:
    """Change what was given; False when everything was so already.

    Raises Invalid with every wrong field, Conflict when the slug is taken.
    """
    changed, errors = fields.apply_given(show, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET and given.slug != show.slug:
            _rename(session, show, given.slug)
            changed.add("slug")
    with errors.noting("medium"):
        if "medium" in changed:
            _check_medium(session, show)
    errors.raise_any()
    if given.people is not UNSET and set_credits(session, show, None, given.people):
        changed.add("people")
    if changed & {"moved_to", "moved_audio"}:
        show.move_report = None
        ask_move(session, show, now=now)
    if changed:
        touch_show(session, show, now=now)
        record_change(session, "show", show.id, now=now)
    return bool(changed)


def changed_fields(show: Show, given: ShowInput) -> list[str]:
    """Which plain fields `change_show` would change: not the slug and not the people.

    Nothing is changed. Raises Invalid with every wrong field.
    """
    return fields.changed_fields(show, given, _READERS)


def set_show_artwork(session: Session, show: Show, artwork: Artwork, *, now: datetime) -> bool:
    """Give the show its artwork; False when it is the same picture."""
    if show.artwork_id == artwork.id:
        return False
    show.artwork_id, show.artwork = artwork.id, artwork
    touch_show(session, show, now=now)
    record_change(session, "show", show.id, now=now)
    return True


def ask_move(session: Session, show: Show, *, now: datetime) -> None:
    """Have the new feed read, and the redirect switched on if all is well there.

    Without `moved_to`, the feed is here again at once, and its audio in a moment.
    """
    if show.moved_to is None:
        show.redirect_to = None
    enqueue(session, MOVE_SHOW, show.id, now=now, run_at=now)


def delete_show(session: Session, show: Show, *, now: datetime) -> None:
    """Take the show off the air; its addresses answer 410 from now on and its slug stays taken.

    Those that lead to another host go on doing so.
    """
    show.deleted_at = now
    touch_show(session, show, now=now)
    record_change(session, "show", show.id, now=now)


def touch_show(session: Session, show: Show, *, now: datetime) -> None:
    """The show's feed may have to say something else now: raise its version, enqueue rendering,
    and indexing for the search."""
    show.version += 1
    show.changed_at = now
    enqueue(session, RENDER_SHOW, show.id, now=now, run_at=now)
    enqueue(session, INDEX_SHOW, show.id, now=now, run_at=now)


def find_show(session: Session, slug: str) -> Show | None:
    """The show with this slug, also by a slug that it once had; deleted ones too."""
    if not fields.may_be_slug(slug):
        return None
    show = session.scalar(select(Show).where(Show.slug == slug))
    if show is None:
        old = session.get(ShowSlug, slug)
        show = session.get(Show, old.show_id) if old else None
    return show


def get_show(session: Session, slug: str, *, lock: bool = False) -> Show:
    """The show with this slug; with `lock`, no other transaction can change it until commit.

    Raises NotFound, or Gone when it was deleted.
    """
    show = find_show(session, slug)
    if show is None:
        raise NotFound(f"There is no show {slug!r} here.")
    if lock:
        # First, because whoever held the lock may just have deleted it.
        lock_show(session, show.id)
    if show.deleted_at is not None:
        raise Gone(f"The show {slug!r} was deleted.")
    return show


def lock_show(session: Session, show_id: str) -> None:
    """Wait for other writers of this show; on SQLite the write transaction has done so already."""
    # Only the show's row: PostgreSQL cannot lock the artwork that is loaded with it.
    session.get(Show, show_id, with_for_update={"of": Show}, populate_existing=True)


def list_shows(session: Session) -> Sequence[Show]:
    """All shows that are not deleted, by title."""
    rows = session.scalars(select(Show).where(Show.deleted_at.is_(None)))
    return sorted(rows, key=lambda show: (show.title.casefold(), show.id))


def show_warnings(show: Show) -> list[str]:
    """What directories will miss, each with what to do about it."""
    warnings = []
    if not show.categories:
        warnings.append(
            "Apple Podcasts asks for a category; until you choose one, the feed says "
            f"{DEFAULT_CATEGORY[0]}."
        )
    if not show.description:
        warnings.append(
            "Apple Podcasts asks for a description; until you write one, it is the title."
        )
    if not show.author:
        warnings.append("Nobody is named as the author; until then, the feed names the title.")
    if show.artwork is None or show.artwork.is_placeholder:
        warnings.append(
            "The show has no artwork of its own yet; a plain pattern stands in for it. "
            "Apple Podcasts wants a square picture of 1400 to 3000 pixels."
        )
    if show.redirect_to is not None:
        warnings.append(
            f"The feed leads to {show.redirect_to}; what is published here reaches nobody."
        )
    warnings += _tag_warnings(show)
    if page_size := (show.tags or {}).get("feed_page_size"):
        warnings.append(
            "Apple Podcasts and Spotify read the newest page of the feed only, which has "
            f"{page_size} to {2 * page_size - 1} episodes; older ones leave their lists."
        )
    if len(show.title) > 255:
        warnings.append("The title has more than 255 characters; the feed shows the first ones.")
    return warnings


def _check_medium(session: Session, show: Show) -> None:
    """A list names episodes of others: becoming one would empty the feed of the show's own."""
    with session.no_autoflush:
        own = session.scalar(
            select(Episode.id)
            .where(
                Episode.show_id == show.id,
                Episode.status.in_(("published", "scheduled")),
                Episode.deleted_at.is_(None),
            )
            .limit(1)
        )
    if show.medium in LIST_MEDIUMS and own is not None:
        raise ValueError(
            f"A list ({show.medium}) has no episodes of its own, and this show has; "
            "withdraw them first, or make a new show."
        )


def _tag_warnings(show: Show) -> list[str]:
    has_items = bool((show.tags or {}).get("remote_items"))
    has_place = show.medium in LIST_MEDIUMS or show.medium == "publisher"
    if has_items and not has_place:
        return [
            "remote_items stand in the feed of a list (such as podcastL) or a publisher only; "
            f"the show's medium is {show.medium}."
        ]
    if has_place and not has_items:
        return [f"The medium {show.medium} needs remote_items: the shows that it names."]
    return []


def has_early_feed(show: Show) -> bool:
    """Whether episodes stand in one of its feeds before they are published."""
    return any(feed.get("early_hours") for feed in (show.tags or {}).get("feeds", ()))


def feed_path(show: Show) -> str:
    """The path of the show's feed below the base URL."""
    return f"/{show.slug}/feed.xml"


def new_feed_url(show: Show) -> str | None:
    """Where apps are told that the feed is now; None: here. A redirect says it too."""
    return show.redirect_to or show.new_feed_url


def path_here(url: str, base_url: str) -> str | None:
    """The path below the base URL, where `url` leads to this podhost by http or https."""
    (place, path), (home, prefix) = _place(url), _place(base_url)
    prefix = prefix.rstrip("/")
    if place != home or not path.startswith(f"{prefix}/"):
        return None
    return path.removeprefix(prefix)


def _place(url: str) -> tuple[tuple[str, int | None], str]:
    parts = urlsplit(url)
    port = None if parts.port in (80, 443) else parts.port
    return ((parts.hostname or "").rstrip(".").lower(), port), parts.path


def first_podcast_guid(base_url: str, slug: str) -> str:
    """The show's podcast:guid for life: from its first feed URL, as the podcast namespace says.

    Random while the base URL is no public address, or every show named like this one on
    somebody's laptop would share it.
    """
    if is_public(base_url):
        return podcast_guid(f"{base_url}/{slug}/feed.xml")
    return str(uuid.uuid4())


def is_public(url: str) -> bool:
    """True when `url` could be seen from the internet, judged by its host name alone."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        return ip_address(host).is_global
    except ValueError:
        suffix = host.rpartition(".")[2]
        return "." in host and suffix not in ("localhost", "local", "internal", "lan", "test")


def _own_slug(session: Session, value: str) -> str:
    slug = fields.slug(value)
    if slug in RESERVED_SLUGS:
        raise ValueError(f"The name {slug!r} is used by podhost itself; choose another.")
    if _is_taken(session, slug):
        raise Conflict(
            f"There is a show {slug!r} already; choose another name.",
            {"slug": f"There is a show {slug!r} already."},
        )
    return slug


def _rename(session: Session, show: Show, value: str) -> None:
    slug = fields.slug(value)
    old = session.get(ShowSlug, slug)
    if old is not None and old.show_id == show.id:
        # Back to a name that it once had.
        session.delete(old)
        session.flush()
    slug = _own_slug(session, slug)
    session.add(ShowSlug(slug=show.slug, show_id=show.id))
    show.slug = slug


def _is_taken(session: Session, slug: str) -> bool:
    return find_show(session, slug) is not None


def _free_slug(session: Session, wanted: str) -> str:
    candidate, number = wanted, 2
    while candidate in RESERVED_SLUGS or _is_taken(session, candidate):
        candidate, number = f"{wanted}-{number}", number + 1
    return candidate
