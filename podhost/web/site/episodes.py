"""Episodes: the list of all of them, and the page of each."""

from collections.abc import Sequence
from datetime import timedelta
from math import inf
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import joinedload, selectinload

from podhost.errors import Gone, Invalid, NotFound, PodhostError
from podhost.feeds.rendering import episode_people
from podhost.fields import may_be_slug
from podhost.formats.feed_tags import stored_episode_tags, stored_show_tags
from podhost.formats.tag_values import SocialInteract
from podhost.formats.transcripts import Cue, Format, parse_cues
from podhost.models import Chapter, Credit, Episode, EpisodeSlug, Transcript
from podhost.people import list_credits
from podhost.search.titles import with_like_titles
from podhost.transcripts import transcript_path
from podhost.web.site.frame import list_head
from podhost.web.site.listening import player_values
from podhost.web.site.listing import (
    EpisodeCard,
    count_episodes,
    credited,
    is_public,
    list_episodes,
    summary,
    with_person,
)
from podhost.web.site.looks import Head, Look, Moved, Page, SiteRoute
from podhost.web.site.schema import breadcrumbs, moment, podcast_episode
from podhost.web.site.sharing import discovery_links
from podhost.written.reading import ArticleCard, articles_like, published_articles
from podhost.written.sponsors import running_sponsors

EPISODES_PER_PAGE = 50
_RELATED = 4
_EPISODE = Episode.__table__.c
# Forms whose cues have times, the simplest first.
_TIMED: dict[str, Format] = {"vtt": "vtt", "srt": "srt", "json": "json"}
# Of the forms of a transcript, the one that a person reads best stands first.
_READABLE = ("html", "txt", "vtt", "srt", "json")
_TRY_AGAIN = timedelta(minutes=1)


class Neighbour(NamedTuple):
    """The episode before or after another one."""

    slug: str
    title: str


class TranscriptFile(NamedTuple):
    """A transcript as a file that a person reads."""

    path: str
    language: str


def archive_page(look: Look) -> Page:
    """`/<show>/episodes`: all episodes, newest first, or those with a label."""
    number, label = look.page_number(), look.query.get("label")
    conditions = () if label is None else (_with_label(look, label),)
    offset = (number - 1) * EPISODES_PER_PAGE
    count = count_episodes(look.session, look.show.id, *conditions)
    found = list_episodes(
        look.session, look.show, *conditions, limit=EPISODES_PER_PAGE, offset=offset
    )
    if not found and (number > 1 or label is not None):
        raise NotFound("There are no older episodes.")
    _ = look.words
    title = _("Episodes") if label is None else _("Episodes about “%(label)s”", label=label)
    path = "/episodes" if label is None else f"/episodes?label={quote(label)}"
    return Page(
        template="site/episodes.html",
        head=list_head(
            title,
            path,
            number,
            description=look.show.description,
            picture=look.show.artwork,
            data=[breadcrumbs(look, ("/episodes", _("Episodes")))],
            is_indexed=label is None,
        ),
        values={
            "episodes": found,
            "count": count,
            "title": title,
            "label": label,
            "page": number,
            "pages": -(-count // EPISODES_PER_PAGE),
        },
    )


def episode_page(look: Look) -> Page:
    """`/<show>/episodes/<slug>`: the audio with notes, people, chapters and transcript."""
    episode = get_published(look, look.parameters["slug"])
    if episode.slug != look.parameters["slug"]:
        raise Moved(look.path(f"/episodes/{episode.slug}"))
    _ = look.words
    show, path = look.show, f"/episodes/{episode.slug}"
    hosts = list_credits(look.session, show, None)
    people = episode_people(hosts, episode.credits) or hosts
    described = summary(episode.notes_html)
    cues, language, is_whole = _read_cues(look, episode)
    sponsors, changes_at = running_sponsors(look.session, show, look.now)
    tags = stored_episode_tags(episode.tags)
    published_at = episode.published_at or look.now
    picture = episode.artwork or show.artwork
    expires = [changes_at] if changes_at is not None else []
    expires += [] if is_whole else [look.now + _TRY_AGAIN]
    previous, following = _neighbours(look, episode)
    return Page(
        template="site/episode.html",
        head=Head(
            title=episode.title,
            path=path,
            description=described,
            picture=picture,
            card=look.card_path(path, picture, episode.title),
            kind="article",
            properties=[
                ("article:published_time", moment(published_at)),
                *(("article:tag", label) for label in tags.labels),
            ],
            data=[
                podcast_episode(look, episode, people, described),
                breadcrumbs(look, ("/episodes", _("Episodes")), (path, episode.title)),
            ],
            links=discovery_links(look, path, episode.title),
        ),
        values={
            "episode": episode,
            "explicit": show.explicit if episode.explicit is None else episode.explicit,
            "listening": player_values(look, episode, cues, language=language),
            "notes": below_title(episode.notes_html),
            "people": credited(look.session, people),
            "transcripts": [
                file
                for file in _transcript_files(show.language, episode.transcripts)
                # What stands on the page itself, with the player, needs no link.
                if not (cues and episode.audio and file.language == (language or show.language))
            ],
            "labels": tags.labels,
            "comments": _comments(tags.social_interact),
            "funding": tags.funding or stored_show_tags(show.tags).funding,
            "articles": _articles(look, episode),
            "previous": previous,
            "next": following,
            "related": _related(look, episode),
            "sponsors": sponsors,
        },
        expires_at=min(expires, default=None),
    )


class Comments(NamedTuple):
    """Where an episode is talked about, as readers know the place."""

    url: str
    place: str


def _comments(posts: Sequence[SocialInteract]) -> list[Comments]:
    """In the order of their priority, as apps have them; those without one come last."""
    by_priority = sorted(posts, key=lambda post: inf if post.priority is None else post.priority)
    return [Comments(post.uri, _place(post.uri, post.protocol)) for post in by_priority if post.uri]


def _place(uri: str, protocol: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        return parts.hostname.removeprefix("www.")
    return protocol.capitalize()


def get_published(look: Look, slug: str) -> Episode:
    """The episode with this slug, also an old one. Raises NotFound, or Gone for what was here."""
    show_id, session = look.show.id, look.session
    loaded = (
        joinedload(Episode.audio),
        joinedload(Episode.artwork),
        selectinload(Episode.credits).joinedload(Credit.artwork),
        selectinload(Episode.chapters).joinedload(Chapter.artwork),
        selectinload(Episode.transcripts),
    )
    by_slug = select(Episode).where(Episode.show_id == show_id, Episode.slug == slug)
    is_possible = may_be_slug(slug)
    episode = session.scalar(by_slug.options(*loaded)) if is_possible else None
    if episode is None and is_possible:
        old = session.get(EpisodeSlug, (show_id, slug))
        episode = session.get(Episode, old.episode_id, options=loaded) if old else None
    if episode is None or episode.published_at is None or episode.status == "scheduled":
        raise NotFound("There is no such episode here.")
    if episode.deleted_at is not None or episode.status != "published":
        raise Gone("This episode was here once, and was taken away.")
    return episode


def below_title(notes_html: str) -> str:
    """Notes as they stand below a title, whose level comes first (WCAG 1.3.1)."""
    if "<h2>" in notes_html:
        return notes_html
    return notes_html.replace("<h3>", "<h2>").replace("</h3>", "</h2>")


def _read_cues(look: Look, episode: Episode) -> tuple[list[Cue], str, bool]:
    """What is said when, in the show's language if there is a choice; the language, where it is
    another one; and False where the storage did not answer."""
    timed = [row for row in episode.transcripts if row.extension in _TIMED]
    order = list(_TIMED)
    timed.sort(key=lambda row: (_is_other(look, row), order.index(row.extension)))
    for row in timed[:1]:
        language = str(row.language) if _is_other(look, row) else ""
        try:
            with look.instance.storage.open(row.storage_key) as file:
                return parse_cues(file.read(), _TIMED[row.extension]), language, True
        except Invalid:
            return [], "", True
        except PodhostError:
            return [], "", False
    return [], "", True


def _is_other(look: Look, row: Transcript) -> bool:
    return (row.language or look.show.language) != look.show.language


def _transcript_files(language: str, rows: Sequence[Transcript]) -> list[TranscriptFile]:
    """In each language the form that a person reads best."""
    best: dict[str, Transcript] = {}
    for row in rows:
        rival = best.setdefault(row.language or language, row)
        if _READABLE.index(row.extension) < _READABLE.index(rival.extension):
            best[row.language or language] = row
    return [TranscriptFile(transcript_path(row), code) for code, row in best.items()]


def _neighbours(look: Look, episode: Episode) -> tuple[Neighbour | None, Neighbour | None]:
    """The episodes that came out before and after this one."""
    place = tuple_(_EPISODE.published_at, _EPISODE.id)
    own = tuple_(episode.published_at, episode.id)
    found = []
    for condition, order in (
        (place < own, (_EPISODE.published_at.desc(), _EPISODE.id.desc())),
        (place > own, (_EPISODE.published_at, _EPISODE.id)),
    ):
        row = look.session.execute(
            select(_EPISODE.slug, _EPISODE.title)
            .where(*is_public(look.show.id), condition)
            .order_by(*order)
            .limit(1)
        ).one_or_none()
        found.append(Neighbour(row.slug, row.title) if row is not None else None)
    return found[0], found[1]


def _with_label(look: Look, label: str) -> ColumnElement[bool]:
    """The episodes with a label. Raises NotFound where none has it."""
    rows = look.session.execute(
        select(_EPISODE.id, _EPISODE.tags).where(
            *is_public(look.show.id), _EPISODE.tags.is_not(None)
        )
    )
    ids = [id_ for id_, tags in rows if label in tags.get("labels", ())]
    if not ids:
        raise NotFound("There are no episodes with this label.")
    return _EPISODE.id.in_(ids)


def _related(look: Look, episode: Episode) -> list[EpisodeCard]:
    """Episodes with the same guests, the newest first; then those with the same labels, then those
    with words of the title in theirs."""
    guests = [credit.person_id for credit in episode.credits if credit.role == "guest"]
    others = _EPISODE.id != episode.id
    found: dict[str, EpisodeCard] = {}
    conditions = [with_person(look.show.id, person_id) for person_id in guests[:3]]
    conditions += [
        _with_label(look, label) for label in stored_episode_tags(episode.tags).labels[:3]
    ]
    for condition in conditions:
        if len(found) < _RELATED:
            cards = list_episodes(look.session, look.show, condition, others, limit=_RELATED)
            found.update((card.id, card) for card in cards)
    if len(found) < _RELATED:
        public = (*is_public(look.show.id), others)
        alike = with_like_titles(
            look.session, Episode.__table__, episode.title, *public, most=_RELATED
        )
        cards = list_episodes(look.session, look.show, _EPISODE.id.in_(alike), limit=_RELATED)
        found.update(
            (card.id, card) for card in sorted(cards, key=lambda card: alike.index(card.id))
        )
    return list(found.values())[:_RELATED]


def _articles(look: Look, episode: Episode) -> list[ArticleCard]:
    """The article that is spoken here, then what its guests wrote, then those with words of the
    title in theirs."""
    session, show_id = look.session, look.show.id
    guests = [credit.person_id for credit in episode.credits if credit.role == "guest"]
    chosen = published_articles(session, show_id, episode_id=episode.id, limit=_RELATED)
    for person_id in guests[:3]:
        chosen += published_articles(session, show_id, author_id=person_id, limit=_RELATED)
    chosen += articles_like(session, show_id, episode.title, most=_RELATED)
    return list({card.id: card for card in chosen}.values())[:_RELATED]


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/episodes", archive_page, reads=("label", "page")),
    SiteRoute("/episodes/{slug}", episode_page),
)
