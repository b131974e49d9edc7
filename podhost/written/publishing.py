"""What the world may read: publish, schedule, withdraw, delete and restore an article.

draft -> scheduled -> published -> withdrawn -> published again, as with episodes.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.fields import UNUSUAL_YEAR, is_usual_year
from podhost.history.audit import note
from podhost.history.trash import TRASH_KEPT
from podhost.jobs import enqueue
from podhost.models import Article, ArticleAuthor, Person, Show
from podhost.people_public import publish_article_words
from podhost.written.articles import touch_article
from podhost.written.slugs import ARTICLE, target_id

PUBLISH_ARTICLE = "publish_article"
_NO_TEXT = "The article has no text yet; write it first."


def publish_article(
    session: Session, article: Article, *, now: datetime, at: datetime | None = None
) -> None:
    """Publish now, or at the time `at` (aware): a time that has come means now, dated then.

    What was published before keeps its date; only what was withdrawn can get another one by
    naming it. Raises Invalid with what is missing, Conflict for another time of what is out.
    """
    if not article.text_html:
        raise Invalid(_NO_TEXT, {"text": _NO_TEXT})
    if at is not None and not is_usual_year(at):
        raise Invalid(f"at: {UNUSUAL_YEAR}", {"at": UNUSUAL_YEAR})
    if article.status == "published":
        if at is None or at.replace(microsecond=0) == article.published_at:
            return
        raise Conflict(
            "The article is published already and keeps its date; withdraw it before giving it "
            "another time."
        )
    if at is not None and at > now:
        article.status, article.published_at = "scheduled", at.replace(microsecond=0)
        enqueue(session, PUBLISH_ARTICLE, article.id, now=now, run_at=at)
    else:
        was_out = article.status == "withdrawn" and article.published_at is not None
        if not was_out or at is not None:
            article.published_at = (at or now).replace(microsecond=0)
        article.status = "published"
        _publish_authors(session, article)
    touch_article(session, article, now=now)


def publish_due_article(session: Session, article: Article, *, now: datetime) -> bool:
    """Publish a scheduled article whose time has come; False when it is not due (any more)."""
    if article.status != "scheduled" or article.deleted_at is not None:
        return False
    if article.published_at is None or article.published_at > now:
        return False
    article.status = "published"
    _publish_authors(session, article)
    note(session, "publish_due_article", subject=article.title, show_id=article.show_id, now=now)
    touch_article(session, article, now=now)
    return True


def _publish_authors(session: Session, article: Article) -> None:
    """Say of its authors in public what it said of them while it was a draft."""
    people = session.scalars(
        select(Person)
        .join(ArticleAuthor, ArticleAuthor.person_id == Person.id)
        .where(ArticleAuthor.article_id == article.id)
    ).all()
    for person in people:
        publish_article_words(person, article.id)
        if person.merged_into_id is not None:
            publish_article_words(session.get_one(Person, person.merged_into_id), article.id)


def due_article_ids(session: Session, *, now: datetime) -> Sequence[str]:
    """The scheduled articles whose time has come."""
    return session.scalars(
        select(Article.id).where(
            Article.status == "scheduled",
            Article.published_at <= now,
            Article.deleted_at.is_(None),
        )
    ).all()


def keep_withdrawn_article(
    session: Session, article: Article, *, at: datetime, now: datetime
) -> None:
    """Make a new draft what it was elsewhere: out at the time `at`, and withdrawn since."""
    if article.status != "draft" or article.published_at is not None:
        raise Conflict("Only a new draft can have been published elsewhere.")
    article.status, article.published_at = "withdrawn", at.replace(microsecond=0)
    touch_article(session, article, now=now)


def withdraw_article(session: Session, article: Article, *, now: datetime) -> None:
    """Take the article off the site, where its page answers 410; a scheduled one becomes a draft
    again."""
    if article.status == "scheduled":
        article.status, article.published_at = "draft", None
    elif article.status == "published":
        article.status = "withdrawn"
    else:
        raise Conflict("Only a published or a scheduled article can be withdrawn.")
    touch_article(session, article, now=now)


def delete_article(session: Session, article: Article, *, now: datetime) -> None:
    """Delete the article; its address answers 410 if it was out, and it can come back."""
    article.deleted_at = now
    touch_article(session, article, now=now)


def get_deleted_article(session: Session, show: Show, key: str) -> Article:
    """The article with this id or slug, deleted or not. Raises NotFound."""
    found = target_id(session, ARTICLE, show.id, key)
    if found is None:
        raise NotFound(f"The show {show.slug!r} has no article {key!r}.")
    return session.get_one(Article, found)


def restore_article(session: Session, article: Article, *, now: datetime) -> None:
    """Bring a deleted article back as it was; what was scheduled for a time that has passed is a
    draft. Raises Conflict where it is not deleted, Gone after 30 days."""
    if article.deleted_at is None:
        raise Conflict("It is not in the trash.")
    if article.deleted_at + TRASH_KEPT <= now:
        raise Gone("It was deleted more than 30 days ago.")
    article.deleted_at = None
    if article.status == "scheduled" and article.published_at is not None:
        if article.published_at > now:
            enqueue(session, PUBLISH_ARTICLE, article.id, now=now, run_at=article.published_at)
        else:
            article.status, article.published_at = "draft", None
    touch_article(session, article, now=now)
