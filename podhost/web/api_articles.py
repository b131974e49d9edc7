"""The API's calls for a show's articles."""

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost import fields
from podhost.errors import Invalid
from podhost.history.audit import is_about
from podhost.models import Article, Show
from podhost.web.api_shows import artwork_row, next_page, page, stored_picture
from podhost.web.calls import Call, json_answer, named, naming_fields_of
from podhost.web.openapi import PREFIX, FormBody, Operation, Query
from podhost.written.answers import (
    ArticleAnswer,
    ArticleList,
    article_answer,
)
from podhost.written.articles import (
    STATUSES,
    ArticleInput,
    change_article,
    count_articles,
    create_article,
    get_article,
    list_articles,
    set_article_picture,
)
from podhost.written.publishing import (
    delete_article,
    get_deleted_article,
    publish_article,
    restore_article,
    withdraw_article,
)

_SHOW = PREFIX + "/shows/{show}"
_ARTICLES, _ARTICLE = _SHOW + "/articles", _SHOW + "/articles/{article}"
PICTURE = FormBody(
    files=("picture",),
    required=("picture",),
    raw="picture",
    raw_types=("image/jpeg", "image/png", "image/webp"),
)


class NewArticle(ArticleInput, kw_only=True):
    """What is given to make an article. `publish` is true, false or a time."""

    publish: bool | str | UnsetType | None = UNSET


class ArticlePublication(Struct, kw_only=True):
    """When the article is to be published; now, if nothing is said."""

    at: str | UnsetType | None = UNSET


def get_articles(call: Call, session: Session) -> Response:
    """A page of the show's articles, newest first."""
    limit, offset = page(call)
    status = call.query.get("status") or None
    if status is not None and status not in STATUSES:
        sentence = f"It must be one of {', '.join(STATUSES)}."
        raise Invalid(f"status: {sentence}", {"status": sentence})
    show, base_url = call.show(session), call.instance.base_url
    found = list_articles(session, show, status=status, limit=limit, offset=offset)
    total = count_articles(session, show, status=status)
    more = f"&status={status}" if status else ""
    listed = ArticleList(
        articles=[article_answer(session, show, article, base_url) for article in found],
        total=total,
        next=next_page(
            call, f"{PREFIX}/shows/{show.slug}/articles", limit, offset, total, more=more
        ),
    )
    return json_answer(listed)


def post_article(call: Call) -> Response:
    """A new article, a draft unless `publish` says otherwise."""
    given = call.given(NewArticle, told=ArticleAnswer)
    with call.write() as session, naming_fields_of(NewArticle):
        show = call.show(session, lock=True)
        at = None
        if isinstance(given.publish, str):
            text, zone = given.publish, show.time_zone
            at = named("publish", lambda: fields.moment(text, zone))
        article = create_article(session, show, given, now=call.now())
        if given.publish not in (UNSET, None, False):
            publish_article(session, article, now=call.now(), at=at)
        is_about(article.title)
        made = _article(call, session, show, article)
        path = f"{PREFIX}/shows/{show.slug}/articles/{article.slug}"
    return json_answer(made, 201, location=call.instance.base_url + path)


def get_one_article(call: Call, session: Session) -> Response:
    """One article."""
    show = call.show(session)
    return json_answer(_article(call, session, show, _named_article(call, session, show)))


def patch_article(call: Call) -> Response:
    """Change what is given of the article."""
    given = call.given(ArticleInput, told=ArticleAnswer)
    with call.write() as session, naming_fields_of(ArticleInput):
        show = call.show(session, lock=True)
        article = _named_article(call, session, show)
        change_article(session, show, article, given, now=call.now())
        changed = _article(call, session, show, article)
    return json_answer(changed)


def remove_article(call: Call) -> Response:
    """Delete the article; it can come back."""
    with call.write() as session:
        show = call.show(session, lock=True)
        delete_article(session, _named_article(call, session, show), now=call.now())
    return Response(status_code=204)


def post_article_restore(call: Call) -> Response:
    """Bring a deleted article back as it was."""
    with call.write() as session:
        show = call.show(session, lock=True)
        article = get_deleted_article(session, show, call.parameters["article"])
        is_about(article.title)
        restore_article(session, article, now=call.now())
        restored = _article(call, session, show, article)
    return json_answer(restored)


def post_article_publish(call: Call) -> Response:
    """Publish the article, now or at the time that is given."""
    given = call.given(ArticlePublication)
    with call.write() as session:
        show = call.show(session, lock=True)
        at = None
        if given.at:
            text, zone = given.at, show.time_zone
            at = named("at", lambda: fields.moment(text, zone))
        article = _named_article(call, session, show)
        publish_article(session, article, now=call.now(), at=at)
        changed = _article(call, session, show, article)
    return json_answer(changed)


def post_article_withdraw(call: Call) -> Response:
    """Take the article off the site; a scheduled one becomes a draft again."""
    with call.write() as session:
        show = call.show(session, lock=True)
        article = _named_article(call, session, show)
        withdraw_article(session, article, now=call.now())
        changed = _article(call, session, show, article)
    return json_answer(changed)


def put_article_picture(call: Call) -> Response:
    """Give the article a picture, of any shape."""
    with stored_picture(call) as prepared, call.write() as session:
        show = call.show(session, lock=True)
        article = _named_article(call, session, show)
        artwork = artwork_row(call, session, prepared)
        set_article_picture(session, article, artwork, now=call.now())
        changed = _article(call, session, show, article)
    return json_answer(changed)


def remove_article_picture(call: Call) -> Response:
    """Take the picture of the article away."""
    with call.write() as session:
        show = call.show(session, lock=True)
        set_article_picture(session, _named_article(call, session, show), None, now=call.now())
    return Response(status_code=204)


def _named_article(call: Call, session: Session, show: Show) -> Article:
    article = get_article(session, show, call.parameters["article"])
    is_about(article.title)
    return article


def _article(call: Call, session: Session, show: Show, article: Article) -> ArticleAnswer:
    return article_answer(session, show, article, call.instance.base_url, warnings=call.warnings)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_ARTICLES,
        handler=get_articles,
        summary="List the articles of a show, newest first.",
        query=(
            Query(
                "limit",
                "How many to answer with.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            Query(
                "offset", "How many to leave out.", {"type": "integer", "minimum": 0, "default": 0}
            ),
            Query("status", "Only these.", {"type": "string", "enum": [*STATUSES]}),
        ),
        answer=ArticleList,
    ),
    Operation(
        method="POST",
        path=_ARTICLES,
        handler=post_article,
        summary="Make an article, and publish it if wanted.",
        json=NewArticle,
        answer=ArticleAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_ARTICLE,
        handler=get_one_article,
        summary="Read an article.",
        answer=ArticleAnswer,
    ),
    Operation(
        method="PATCH",
        path=_ARTICLE,
        handler=patch_article,
        summary="Change what is given of an article.",
        json=ArticleInput,
        answer=ArticleAnswer,
    ),
    Operation(
        method="DELETE",
        path=_ARTICLE,
        handler=remove_article,
        summary="Delete an article; it can come back for 30 days.",
        status=204,
    ),
    Operation(
        method="POST",
        path=_ARTICLE + "/restore",
        handler=post_article_restore,
        summary="Bring a deleted article back.",
        answer=ArticleAnswer,
    ),
    Operation(
        method="POST",
        path=_ARTICLE + "/publish",
        handler=post_article_publish,
        summary="Publish an article, now or at a time.",
        json=ArticlePublication,
        json_required=False,
        answer=ArticleAnswer,
    ),
    Operation(
        method="POST",
        path=_ARTICLE + "/withdraw",
        handler=post_article_withdraw,
        summary="Take an article off the site.",
        answer=ArticleAnswer,
    ),
    Operation(
        method="PUT",
        path=_ARTICLE + "/picture",
        handler=put_article_picture,
        summary="Give an article a picture.",
        form=PICTURE,
        answer=ArticleAnswer,
    ),
    Operation(
        method="DELETE",
        path=_ARTICLE + "/picture",
        handler=remove_article_picture,
        summary="Take the picture of an article away.",
        status=204,
    ),
)
