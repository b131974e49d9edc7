"""What is mailed and when: an issue for each new episode, and one a week; it mails nothing.

Rows decide: an episode that came out after the newsletter was switched on, and not more than two
days ago, has an issue or is to get one. So nothing is lost with a job, and nothing is mailed that
an import brought or that was published before.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from podhost.db import new_id
from podhost.errors import Conflict, NotFound
from podhost.fields import may_be_slug
from podhost.formats.markdown import notes_line, truncate_html
from podhost.formats.text import plain_line, truncate_text
from podhost.models import (
    Article,
    Audio,
    Episode,
    Newsletter,
    NewsletterDelivery,
    NewsletterIssue,
    Show,
)
from podhost.newsletter.settings import choices_of
from podhost.site.settings import site_settings
from podhost.translations import choose_language, words

EPISODE, DIGEST, ARTICLE = "episode", "digest", "article"
# So long a typo in what was just published can be mended before anybody reads it.
WAIT = timedelta(minutes=10)
# What could not be sent by then is no news any more.
SENT_WITHIN = timedelta(days=2)
_LONGEST_DIGEST = timedelta(days=28)
_MOST_ITEMS = 50
_DELIVERIES_KEPT = timedelta(days=90)
_SUMMARY_CHARS = 600
SWITCHED_OFF = "The newsletter was switched off."
STOPPED = "It was stopped."
TOO_LATE = "It could not be sent in time."


class Item(msgspec.Struct, kw_only=True):
    """One thing that is told of: an episode or an article."""

    kind: str
    title: str
    url: str
    summary: str
    published_at: datetime
    duration_ms: int | None = None


class IssueContent(msgspec.Struct, kw_only=True):
    """All that a mail says, but for who gets it."""

    kind: str
    subject: str
    show: str
    show_url: str
    page_url: str
    language: str
    time_zone: str
    contact: str
    # Whom answers reach, where the show has such an address.
    reply_to: str | None
    list_name: str
    items: list[Item]


def due_show_ids(session: Session, *, since: datetime, now: datetime) -> list[str]:
    """The shows for which `make_due_issues` has something to do: a look that locks nothing.

    `since`: rows that are older came from a backup, and what was published before may have been
    mailed after it.
    """
    found = []
    for newsletter, show in session.execute(
        select(Newsletter, Show)
        .join(Show, Show.id == Newsletter.show_id)
        .where(Newsletter.is_open.is_(True), Show.deleted_at.is_(None))
    ):
        if (newsletter.sends_episodes and any(_new_episodes(session, newsletter, since, now))) or (
            newsletter.sends_digest and _digest_due(newsletter, show, since, now) is not None
        ):
            found.append(show.id)
    return found


def make_due_issues(
    session: Session, show_id: str, base_url: str, *, since: datetime, now: datetime
) -> int:
    """Make the issues of a show that are due and not there yet; how many."""
    newsletter = session.get(Newsletter, show_id, with_for_update=True)
    if newsletter is None or not newsletter.is_open:
        return 0
    show, made = session.get_one(Show, show_id), 0
    if newsletter.sends_episodes:
        for episode in list(_new_episodes(session, newsletter, since, now)):
            _add(session, show, EPISODE, episode.id, episode.title, send_at=now + WAIT)
            made += 1
    if newsletter.sends_digest:
        made += _make_digest(session, newsletter, show, base_url, since, now)
    session.flush()
    return made


def _new_episodes(
    session: Session, newsletter: Newsletter, since: datetime, now: datetime
) -> Iterator[Episode]:
    opened_at = newsletter.opened_at
    if opened_at is None:
        return
    has_issue = exists().where(
        NewsletterIssue.show_id == Episode.show_id, NewsletterIssue.key == Episode.id
    )
    yield from session.scalars(
        select(Episode)
        .where(
            Episode.show_id == newsletter.show_id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
            # To the second, as episodes are dated.
            Episode.published_at >= opened_at.replace(microsecond=0),
            Episode.published_at > max(now - SENT_WITHIN, since),
            Episode.published_at <= now,
            ~has_issue,
        )
        .order_by(Episode.published_at)
    )


def _digest_due(
    newsletter: Newsletter, show: Show, since: datetime, now: datetime
) -> datetime | None:
    """When the digest was to be made that is not made yet; None: there is none to make."""
    due = last_digest_time(newsletter, show, now)
    after = max(
        moment for moment in (newsletter.planned_at, newsletter.digested_until, since) if moment
    )
    return due if after < due and now - due < SENT_WITHIN else None


def last_digest_time(newsletter: Newsletter, show: Show, now: datetime) -> datetime:
    """The last time before now at which the week's digest is due, by the show's clock."""
    zone = ZoneInfo(show.time_zone)
    local = now.astimezone(zone)
    days = (local.weekday() - newsletter.digest_weekday) % 7
    due = (local - timedelta(days=days)).replace(
        hour=newsletter.digest_hour, minute=0, second=0, microsecond=0, fold=0
    )
    if due.astimezone(now.tzinfo) > now:
        due -= timedelta(days=7)
    return due.astimezone(now.tzinfo)


def _make_digest(
    session: Session,
    newsletter: Newsletter,
    show: Show,
    base_url: str,
    since: datetime,
    now: datetime,
) -> int:
    due = _digest_due(newsletter, show, since, now)
    if due is None:
        return 0
    begins = max(newsletter.digested_until or since, since, due - _LONGEST_DIGEST)
    items = published_between(session, show, base_url, begins, due)
    # Also of a week without news, or the next digest would come too soon.
    newsletter.digested_until = due
    day = due.astimezone(ZoneInfo(show.time_zone)).date().isoformat()
    key = f"{DIGEST} {day}"
    is_there = exists().where(NewsletterIssue.show_id == show.id, NewsletterIssue.key == key)
    if not items or session.scalar(select(is_there)):
        return 0
    home = home_url(session, show, base_url)
    content = make_content(newsletter, show, base_url, DIGEST, items, home=home)
    issue = _add(session, show, DIGEST, key, content.subject, send_at=now)
    issue.content = msgspec.to_builtins(content)
    return 1


def _add(
    session: Session, show: Show, kind: str, key: str, subject: str, *, send_at: datetime
) -> NewsletterIssue:
    issue = NewsletterIssue(
        id=new_id(), show_id=show.id, kind=kind, key=key, subject=subject, send_at=send_at
    )
    session.add(issue)
    return issue


def begin_issue(
    session: Session, issue: NewsletterIssue, base_url: str, *, now: datetime
) -> IssueContent | None:
    """What the issue says, from the first mail on the same; None: it is not to be sent.

    An episode that was withdrawn meanwhile gets no mail, and one later when it is out again.
    """
    show = session.get_one(Show, issue.show_id)
    newsletter = session.get(Newsletter, show.id)
    if newsletter is None or not newsletter.is_open or show.deleted_at is not None:
        finish_issue(session, issue, SWITCHED_OFF, now=now)
        return None
    if issue.send_at + SENT_WITHIN <= now:
        was_sent = count_deliveries(session, [issue.id]).get(issue.id, {}).get("sent", 0)
        error = None if was_sent else f"{TOO_LATE} {issue.error or ''}".strip()
        finish_issue(session, issue, error, now=now)
        return None
    if issue.content is None:
        item = _published_episode(session, show, base_url, issue.key)
        if item is None:
            session.delete(issue)
            return None
        home = home_url(session, show, base_url)
        content = make_content(newsletter, show, base_url, EPISODE, [item], home=home)
        issue.subject, issue.content = content.subject, msgspec.to_builtins(content)
        session.flush()
    return msgspec.convert(issue.content, IssueContent)


def finish_issue(
    session: Session, issue: NewsletterIssue, error: str | None, *, now: datetime
) -> None:
    """Nothing more of it is sent, because all is done, or for this reason."""
    counts = count_deliveries(session, [issue.id]).get(issue.id, {})
    issue.sent_count = counts.get("sent", 0)
    issue.refused_count = counts.get("refused", 0)
    issue.unsent_count = sum(counts.values()) - issue.sent_count - issue.refused_count
    issue.finished_at, issue.error = now, error
    session.flush()


def stop_issue(session: Session, show: Show, issue_id: str, *, now: datetime) -> NewsletterIssue:
    """Send no more of it; who has it, has it. Raises NotFound and Conflict."""
    row = None
    if may_be_slug(issue_id):
        row = session.get(NewsletterIssue, issue_id, with_for_update=True)
    if row is None or row.show_id != show.id:
        raise NotFound("There is no such mailing here.")
    if row.finished_at is not None:
        raise Conflict("This mailing is over already.")
    finish_issue(session, row, STOPPED, now=now)
    return row


def list_issues(
    session: Session, show: Show, *, limit: int = 50, offset: int = 0
) -> tuple[Sequence[NewsletterIssue], int]:
    """A page of the show's issues, newest first, and how many there are; the counts of those that
    are being sent are as of now, and are not stored."""
    of_show = NewsletterIssue.show_id == show.id
    total = session.scalar(select(func.count()).select_from(NewsletterIssue).where(of_show)) or 0
    rows = session.scalars(
        select(NewsletterIssue)
        .where(of_show)
        .order_by(NewsletterIssue.send_at.desc(), NewsletterIssue.id)
        .limit(limit)
        .offset(offset)
    ).all()
    return rows, total


def count_deliveries(session: Session, issue_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many deliveries of these issues there are in each status."""
    rows = session.execute(
        select(NewsletterDelivery.issue_id, NewsletterDelivery.status, func.count())
        .where(NewsletterDelivery.issue_id.in_(issue_ids))
        .group_by(NewsletterDelivery.issue_id, NewsletterDelivery.status)
    )
    counts: dict[str, dict[str, int]] = {}
    for issue_id, status, count in rows:
        counts.setdefault(issue_id, {})[status] = count
    return counts


def unfinished_ids(session: Session, *, now: datetime) -> Sequence[str]:
    """The issues that are to be sent by now and are not yet, not all of them at least."""
    return session.scalars(
        select(NewsletterIssue.id).where(
            NewsletterIssue.finished_at.is_(None), NewsletterIssue.send_at <= now
        )
    ).all()


def is_mailing(session: Session, show: Show, *, now: datetime) -> bool:
    """Whether an issue of the show is to be sent by now, and not all of it is."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    NewsletterIssue.show_id == show.id,
                    NewsletterIssue.finished_at.is_(None),
                    NewsletterIssue.send_at <= now,
                )
            )
        )
    )


def prune_deliveries(session: Session, *, now: datetime) -> None:
    """Forget who got which mail, once nobody can want it again; the counts stay."""
    old = select(NewsletterIssue.id).where(NewsletterIssue.finished_at < now - _DELIVERIES_KEPT)
    session.execute(delete(NewsletterDelivery).where(NewsletterDelivery.issue_id.in_(old)))


# What it says


def example_content(
    session: Session, newsletter: Newsletter, show: Show, base_url: str
) -> IssueContent:
    """What a mail would say of the newest episode. Raises Conflict when none is out."""
    newest = session.scalar(
        select(Episode.id)
        .where(
            Episode.show_id == show.id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
        .order_by(Episode.published_at.desc())
        .limit(1)
    )
    item = _published_episode(session, show, base_url, newest or "")
    if item is None:
        raise Conflict("Publish an episode first; a mail tells of it.")
    home = home_url(session, show, base_url)
    return make_content(newsletter, show, base_url, EPISODE, [item], home=home)


def make_content(
    newsletter: Newsletter, show: Show, base_url: str, kind: str, items: list[Item], *, home: str
) -> IssueContent:
    """The whole content; its subject names what it is about. `home` is the show's own address."""
    language = choose_language(None, show.language)
    _ = words(language)
    title = plain_line(show.title)
    about_all = _("%(show)s: what is new", show=title)
    subject = items[0].title if kind == EPISODE else about_all
    contact = newsletter.contact or "\n".join(
        part for part in (show.author, show.owner_email or "") if part
    )
    host = base_url.partition("://")[2].partition("/")[0].partition(":")[0]
    return IssueContent(
        kind=kind,
        subject=truncate_text(plain_line(subject), 200),
        show=title,
        show_url=f"{home}/",
        # Not on a domain of its own, which the show may have no more when somebody wants to leave.
        page_url=f"{base_url}/{show.slug}/newsletter",
        language=language,
        time_zone=show.time_zone,
        contact=contact,
        reply_to=show.owner_email,
        list_name=f"{show.slug}.{host}",
        items=items,
    )


def home_url(session: Session, show: Show, base_url: str) -> str:
    """Where the show's pages are, without a slash at the end: on its own domain, if any."""
    domain = site_settings(session, show).domain
    return f"{base_url.partition('://')[0]}://{domain}" if domain else f"{base_url}/{show.slug}"


def published_between(
    session: Session, show: Show, base_url: str, after: datetime, until: datetime
) -> list[Item]:
    """Episodes and articles that came out in this time, oldest first."""
    episodes = session.scalars(
        select(Episode.id)
        .where(
            Episode.show_id == show.id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
            Episode.published_at > after,
            Episode.published_at <= until,
        )
        .order_by(Episode.published_at.desc())
        .limit(_MOST_ITEMS)
    )
    found = [_published_episode(session, show, base_url, id_) for id_ in episodes.all()]
    items = [item for item in found if item is not None]
    items += _articles(session, show, base_url, after, until)
    return sorted(items, key=lambda item: item.published_at)


def _articles(
    session: Session, show: Show, base_url: str, after: datetime, until: datetime
) -> Iterator[Item]:
    rows = session.execute(
        select(Article.title, Article.slug, Article.summary, Article.published_at)
        .add_columns(Article.text_html)
        .where(
            Article.show_id == show.id,
            Article.status == "published",
            Article.deleted_at.is_(None),
            Article.published_at > after,
            Article.published_at <= until,
        )
        .order_by(Article.published_at.desc())
        .limit(_MOST_ITEMS)
    )
    home = home_url(session, show, base_url)
    for row in rows:
        yield Item(
            kind=ARTICLE,
            title=plain_line(row.title),
            url=f"{home}/articles/{row.slug}",
            summary=plain_line(row.summary) or _summary(row.text_html),
            published_at=row.published_at,
        )


def _published_episode(session: Session, show: Show, base_url: str, episode_id: str) -> Item | None:
    row = session.execute(
        select(Episode.title, Episode.slug, Episode.notes_html, Episode.published_at)
        .add_columns(Audio.duration_ms)
        .outerjoin(Audio, (Audio.episode_id == Episode.id) & Audio.replaced_at.is_(None))
        .where(
            Episode.id == episode_id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None or row.published_at is None:
        return None
    return Item(
        kind=EPISODE,
        title=plain_line(row.title),
        url=f"{home_url(session, show, base_url)}/episodes/{row.slug}",
        summary=_summary(row.notes_html),
        published_at=row.published_at,
        duration_ms=row.duration_ms,
    )


def _summary(html: str) -> str:
    """How a text begins, on one line, up to a whole word."""
    text = notes_line(truncate_html(html, 8 * _SUMMARY_CHARS))
    cut = truncate_text(text, _SUMMARY_CHARS)
    if cut == text:
        return text
    return (cut.rpartition(" ")[0] or cut[:-1]).rstrip(" .,;:!?") + "…"


def audience(newsletter: Newsletter, kind: str) -> tuple[str, ...] | None:
    """Which choice of readers an issue of this kind is for; None: for all, as there is no other."""
    if len(choices_of(newsletter)) < 2:
        return None
    return ("episodes",) if kind == EPISODE else ("weekly",)
