"""The articles of a show, for hosts: the list, and the page on which one is written."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission, permissions_on
from podhost.artwork import add_artwork
from podhost.editing.local_times import local_moment
from podhost.errors import Gone, Invalid, NotFound, Outdated, PodhostError
from podhost.history.audit import is_about
from podhost.models import Article, Artwork, Episode, Show
from podhost.uploads.intake import Intake
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.episode_list import status_words
from podhost.web.studio.visits import StudioRoute, Visit
from podhost.written.articles import (
    STATUSES,
    ArticleInput,
    AuthorInput,
    change_article,
    count_articles,
    create_article,
    get_article,
    list_authors,
    list_categories,
    set_article_picture,
)
from podhost.written.publishing import (
    delete_article,
    get_deleted_article,
    publish_article,
    restore_article,
    withdraw_article,
)

ARTICLES_PER_PAGE = 50
# Longer lists help nobody to choose.
_EPISODES_TO_CHOOSE = 200
_LINES = ("title", "slug", "summary", "text", "picture_credit", "picture_alt", "episode")


def articles_page(visit: Visit) -> Response:
    """The show's articles, newest first; `?status=` chooses some."""
    status = visit.query.get("status") or None
    status = status if status in STATUSES else None
    number = visit.query.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 1
    page = max(1, page)
    with visit.read() as session:
        show = visit.show(session)
        total = count_articles(session, show, status=status)
        return visit.page(
            "studio/articles.html",
            show=show,
            tab="articles",
            articles=_listed(session, show, status, page),
            total=total,
            wanted=status or "",
            page=page,
            has_more=page * ARTICLES_PER_PAGE < total,
            may_edit=Permission.EDIT in permissions_on(session, visit.account, show.id),
            status_words=status_words(visit.words),
        )


def _listed(session: Session, show: Show, status: str | None, page: int) -> Any:
    """A page of articles as columns: texts stay where they are."""
    columns = (Article.id, Article.title, Article.status, Article.published_at, Article.minutes)
    chosen = select(*columns).where(Article.show_id == show.id, Article.deleted_at.is_(None))
    if status is not None:
        chosen = chosen.where(Article.status == status)
    newest = func.coalesce(Article.published_at, Article.created_at).desc()
    place = (page - 1) * ARTICLES_PER_PAGE
    chosen = chosen.order_by(newest, Article.id).limit(ARTICLES_PER_PAGE).offset(place)
    return session.execute(chosen).all()


def new_article_page(visit: Visit) -> Response:
    """An article that is not there yet."""
    with visit.read() as session:
        return _page(visit, session, visit.show(session), None)


def article_page(visit: Visit) -> Response:
    """One article, to be written on."""
    with visit.read() as session:
        show = visit.show(session)
        return _page(visit, session, show, get_article(session, show, _key(visit)))


def make_article(visit: Visit) -> Response:
    """Make an article of what was written, and publish it where that was asked for."""
    return _save(visit, is_new=True)


def save_article(visit: Visit) -> Response:
    """Keep what was written, and publish it where that was asked for."""
    return _save(visit, is_new=False)


def withdraw_this_article(visit: Visit) -> Response:
    """Take it off the site."""
    with visit.write() as session:
        show, article = _named(visit, session)
        was_out = article.status == "published"
        withdraw_article(session, article, now=visit.now())
        path = f"/shows/{show.slug}/articles/{article.id}"
    _ = visit.words
    said = _("The article is withdrawn.") if was_out else _("The article is a draft again.")
    return visit.redirect(path, say=said, undo=f"{path}/publish" if was_out else "")


def publish_this_article(visit: Visit) -> Response:
    """Have a withdrawn article out again, with the date that it had."""
    with visit.write() as session:
        show, article = _named(visit, session)
        publish_article(session, article, now=visit.now())
        path = f"/shows/{show.slug}/articles/{article.id}"
    return visit.redirect(path, say=visit.words("The article is published."))


def delete_this_article(visit: Visit) -> Response:
    """Delete it; it can come back."""
    with visit.write() as session:
        show, article = _named(visit, session)
        delete_article(session, article, now=visit.now())
        said = visit.words("“%(title)s” is deleted.", title=article.title)
        undo = f"/shows/{show.slug}/articles/{article.id}/restore"
        return visit.redirect(f"/shows/{show.slug}/articles", say=said, undo=undo)


def restore_this_article(visit: Visit) -> Response:
    """Bring it back as it was."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        article = get_deleted_article(session, show, _key(visit))
        is_about(article.title)
        restore_article(session, article, now=visit.now())
        said = visit.words("“%(title)s” is back.", title=article.title)
        return visit.redirect(f"/shows/{show.slug}/articles/{article.id}", say=said)


def _key(visit: Visit) -> str:
    return visit.parameters["article"]


def _named(visit: Visit, session: Session) -> tuple[Show, Article]:
    show = visit.show(session, lock=True)
    article = get_article(session, show, _key(visit))
    is_about(article.title)
    return show, article


def _save(visit: Visit, *, is_new: bool) -> Response:
    picture, form = visit.files.get("picture"), visit.form
    try:
        with Intake(visit.instance.database, visit.instance.storage) as intake:
            prepared = (
                intake.artwork(picture.path, is_square=False) if picture is not None else None
            )
            with visit.write() as session:
                show = visit.show(session, lock=True)
                now = visit.now()
                if is_new:
                    article = create_article(session, show, _given(visit), now=now)
                else:
                    article = get_article(session, show, _key(visit))
                    version = form.text("version")
                    change_article(
                        session,
                        show,
                        article,
                        _given(visit),
                        now=now,
                        seen_version=int(version) if version.isdecimal() else None,
                    )
                is_about(article.title)
                if prepared is not None:
                    artwork = add_artwork(session, prepared, now=now)
                    set_article_picture(session, article, artwork, now=now)
                elif form.has("no_picture"):
                    set_article_picture(session, article, None, now=now)
                said = _publish(visit, session, show, article)
                path = f"/shows/{show.slug}/articles/{article.id}"
    except PodhostError as error:
        if isinstance(error, (NotFound, Gone)):
            raise
        return _refused(visit, error, is_new=is_new)
    return visit.redirect(path, say=said)


def _publish(visit: Visit, session: Session, show: Show, article: Article) -> str:
    """Publish or schedule it, if that button was pressed; what is said then."""
    _, action = visit.words, visit.form.text("do")
    if action == "publish":
        publish_article(session, article, now=visit.now())
        return _("The article is published.")
    if action == "schedule":
        try:
            at, odd_hour = local_moment(visit.form.text("at"), show.time_zone)
        except ValueError as error:
            raise Invalid(f"at: {error}", {"at": str(error)}) from None
        publish_article(session, article, now=visit.now(), at=at)
        if article.status == "scheduled":
            said = _("The article comes out at its time.")
            return f"{said} {_.said(odd_hour)}" if odd_hour else said
        return _("The article is published.")
    return _("Saved.")


def _given(visit: Visit) -> ArticleInput:
    form = visit.form
    updated = form.text("updated_at") or None
    if form.has("updated_now"):
        updated = visit.now().replace(second=0, microsecond=0).isoformat()
    given = ArticleInput(
        **{name: form.text(name) for name in _LINES if name != "slug"},
        authors=[
            AuthorInput(name=line.strip())
            for line in form.text("authors").splitlines()
            if line.strip()
        ],
        categories=[name.strip() for name in form.text("categories").split(",") if name.strip()],
        updated_at=updated,
    )
    if form.text("slug"):
        given.slug = form.text("slug")
    return given


def _refused(visit: Visit, error: PodhostError, *, is_new: bool) -> Response:
    """The page again, with all that was typed and what is wrong with it."""
    told = said_beside(visit, error)
    names = told["field_errors"]
    for name in [name for name in names if name.startswith("authors")]:
        names["authors"] = names.pop(name)
    if isinstance(error, Outdated):
        told["error"] = visit.words(
            "Somebody else changed this article meanwhile. What you typed is still here; if you "
            "save once more, it takes the place of theirs."
        )
    form = visit.form
    typed = {name: form.text(name) for name in (*_LINES, "authors", "categories", "updated_at")}
    with visit.read() as session:
        show = visit.show(session)
        article = None if is_new else get_article(session, show, _key(visit))
        values = {"typed": typed, "at": form.text("at"), **told}
        return _page(visit, session, show, article, status=422, **values)


def _page(
    visit: Visit,
    session: Session,
    show: Show,
    article: Article | None,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    zone = ZoneInfo(show.time_zone)
    at = article.published_at if article is not None else None
    shown = {
        "show": show,
        "tab": "articles",
        "article": article,
        "typed": _typed(session, show, article),
        "authors": list_authors(session, article) if article is not None else [],
        "picture": session.get(Artwork, article.artwork_id)
        if article is not None and article.artwork_id
        else None,
        "episodes": _episode_choices(session, show, article),
        "at": _clock(at, zone),
        "now_there": visit.now().astimezone(zone).strftime("%H:%M"),
        "status_words": status_words(visit.words),
        **values,
    }
    return visit.page("studio/article.html", status, **shown)


def _typed(session: Session, show: Show, article: Article | None) -> dict[str, str]:
    """The text of every input."""
    if article is None:
        return dict.fromkeys((*_LINES, "authors", "categories", "updated_at"), "")
    updated = article.updated_at
    return {
        **{name: getattr(article, name) for name in _LINES if name != "episode"},
        "episode": article.episode_id or "",
        "authors": "\n".join(person.name for person in list_authors(session, article)),
        "categories": ", ".join(name for _, name in list_categories(session, article)),
        "updated_at": _clock(updated, ZoneInfo(show.time_zone)),
    }


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment as inputs of a browser have it."""
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" if moment is not None else ""


def _episode_choices(
    session: Session, show: Show, article: Article | None
) -> list[tuple[str, str]]:
    """The newest episodes by id and title, with the one that is chosen."""
    newest = func.coalesce(Episode.published_at, Episode.created_at).desc()
    held = Episode.show_id == show.id, Episode.deleted_at.is_(None)
    chosen = select(Episode.id, Episode.title).where(*held).order_by(newest, Episode.id)
    rows = session.execute(chosen.limit(_EPISODES_TO_CHOOSE)).all()
    found = [(id_, title) for id_, title in rows]
    own = article.episode_id if article is not None else None
    if own is not None and own not in dict(found):
        found += [(id_, title) for id_, title in session.execute(chosen.where(Episode.id == own))]
    return found


_ARTICLES = "/shows/{show}/articles"
_ARTICLE = _ARTICLES + "/{article}"

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _ARTICLES, articles_page, Permission.VIEW),
    StudioRoute("GET", _ARTICLES + "/new", new_article_page, Permission.EDIT),
    StudioRoute("POST", _ARTICLES + "/new", make_article, Permission.EDIT, files=("picture",)),
    StudioRoute("GET", _ARTICLE, article_page, Permission.EDIT),
    StudioRoute("POST", _ARTICLE, save_article, Permission.EDIT, files=("picture",)),
    StudioRoute("POST", _ARTICLE + "/withdraw", withdraw_this_article, Permission.EDIT),
    StudioRoute("POST", _ARTICLE + "/publish", publish_this_article, Permission.EDIT),
    StudioRoute("POST", _ARTICLE + "/delete", delete_this_article, Permission.EDIT),
    StudioRoute("POST", _ARTICLE + "/restore", restore_this_article, Permission.EDIT),
)
