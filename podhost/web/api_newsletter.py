"""The API's calls for a show's newsletter: its settings, readers and mailings."""

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Invalid
from podhost.models import Newsletter, Show
from podhost.newsletter.addresses import write_csv
from podhost.newsletter.answers import (
    IssueAnswer,
    IssueList,
    NewsletterAnswer,
    SubscriberList,
    issue_answers,
    newsletter_answer,
    subscriber_answer,
)
from podhost.newsletter.importing import ImportedReaders, import_readers, read_table
from podhost.newsletter.issues import list_issues, stop_issue
from podhost.newsletter.sending import enqueue_test
from podhost.newsletter.settings import NewsletterInput, change_newsletter, find_newsletter
from podhost.newsletter.subscribers import STATUSES, forget_subscriber, list_subscribers
from podhost.shows import get_show
from podhost.web.api_shows import next_page, page, required_file
from podhost.web.calls import Call, answer, json_answer
from podhost.web.openapi import PREFIX, FormBody, Operation, Query

_NEWSLETTER = PREFIX + "/shows/{show}/newsletter"
CSV_TYPE = "text/csv; charset=utf-8"
_PAGE = (
    Query(
        "limit",
        "How many to answer with.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    Query("offset", "How many to leave out.", {"type": "integer", "minimum": 0, "default": 0}),
)


def get_newsletter(call: Call, session: Session) -> NewsletterAnswer:
    """How it is set, and how many read it."""
    show = call.show(session)
    return _newsletter(call, session, show, find_newsletter(session, show))


def patch_newsletter(call: Call) -> Response:
    """Set what is given."""
    given = call.given(NewsletterInput, told=NewsletterAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        newsletter = change_newsletter(session, show, given, now=call.now())
        changed = _newsletter(call, session, show, newsletter)
    return json_answer(changed)


def _newsletter(
    call: Call, session: Session, show: Show, newsletter: Newsletter
) -> NewsletterAnswer:
    return newsletter_answer(
        session,
        show,
        newsletter,
        base_url=call.instance.base_url,
        can_send=bool(call.instance.settings.smtp_url),
        warnings=call.warnings,
        now=call.now(),
    )


def get_subscribers(call: Call, session: Session) -> Response:
    """A page of the readers."""
    show = call.show(session)
    limit, offset = page(call)
    status = call.query.get("status", "")
    if status and status not in STATUSES:
        sentence = f"It must be one of {', '.join(STATUSES)}."
        raise Invalid(f"status: {sentence}", {"status": sentence})
    rows, total = list_subscribers(
        session,
        show,
        search=call.query.get("search", ""),
        status=status,
        limit=limit,
        offset=offset,
    )
    path = f"{PREFIX}/shows/{show.slug}/newsletter/subscribers"
    more = f"&status={status}" if status else ""
    return json_answer(
        SubscriberList(
            subscribers=[subscriber_answer(row) for row in rows],
            total=total,
            next=next_page(call, path, limit, offset, total, more=more),
        )
    )


def remove_subscriber(call: Call) -> Response:
    """Forget somebody for good."""
    with call.write() as session:
        show = call.show(session, lock=True)
        forget_subscriber(session, show, call.parameters["subscriber"])
    return Response(status_code=204)


def get_subscribers_csv(call: Call, session: Session) -> Response:
    """All addresses, for a spreadsheet or another service."""
    show = call.show(session)
    name = f"{show.slug}-newsletter.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return answer(write_csv(session, show).encode(), mime_type=CSV_TYPE, headers=headers)


class ReadersInput(msgspec.Struct, kw_only=True):
    """The slug of the show that a table of readers is for."""

    show: str


def post_import_readers(call: Call) -> Response:
    """Take over the readers of a table that another podhost exported."""
    given = call.given(ReadersInput, files=("readers",))
    rows = read_table(required_file(call, "readers").path.read_bytes(), now=call.now())
    with call.write() as session:
        show = get_show(session, given.show, lock=True)
        imported = import_readers(session, show, rows, now=call.now())
    return json_answer(imported)


def get_issues(call: Call, session: Session) -> Response:
    """A page of the mailings."""
    show = call.show(session)
    limit, offset = page(call)
    rows, total = list_issues(session, show, limit=limit, offset=offset)
    path = f"{PREFIX}/shows/{show.slug}/newsletter/issues"
    return json_answer(
        IssueList(
            issues=issue_answers(session, rows),
            total=total,
            next=next_page(call, path, limit, offset, total),
        )
    )


def post_issue_stop(call: Call) -> Response:
    """Send no more of a mailing."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = stop_issue(session, show, call.parameters["issue"], now=call.now())
        (stopped,) = issue_answers(session, [row])
    return json_answer(stopped)


def post_newsletter_test(call: Call) -> Response:
    """Mail the newest episode to whoever asks."""
    with call.write() as session:
        show = call.show(session)
        enqueue_test(session, show, call.actor.account_id, now=call.now())
    return Response(status_code=202)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_NEWSLETTER,
        handler=get_newsletter,
        summary="Read how the newsletter of a show is set, and how many read it.",
        answer=NewsletterAnswer,
    ),
    Operation(
        method="PATCH",
        path=_NEWSLETTER,
        handler=patch_newsletter,
        summary="Switch the newsletter on or off, and set what it sends and when.",
        json=NewsletterInput,
        answer=NewsletterAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_NEWSLETTER + "/subscribers",
        handler=get_subscribers,
        summary="List the readers of the newsletter, newest first.",
        answer=SubscriberList,
        query=(
            Query("search", "Only addresses with this in them.", {"type": "string"}),
            Query("status", "Only those.", {"type": "string", "enum": list(STATUSES)}),
            *_PAGE,
        ),
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_NEWSLETTER + "/subscribers/{subscriber}",
        handler=remove_subscriber,
        summary="Forget a reader for good.",
        status=204,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_NEWSLETTER + "/subscribers.csv",
        handler=get_subscribers_csv,
        summary="Fetch all addresses as a table (CSV).",
        answer_type=CSV_TYPE,
        needs=Permission.MANAGE,
    ),
    # For operators alone: whose mail server it is decides whom it mails.
    Operation(
        method="POST",
        path=PREFIX + "/imports/readers",
        handler=post_import_readers,
        summary="Take over the readers of a newsletter that another podhost exported.",
        form=FormBody(files=("readers",), texts=ReadersInput, required=("readers",)),
        answer=ImportedReaders,
    ),
    Operation(
        method="GET",
        path=_NEWSLETTER + "/issues",
        handler=get_issues,
        summary="List the mailings, newest first, with what became of their mails.",
        answer=IssueList,
        query=_PAGE,
    ),
    Operation(
        method="POST",
        path=_NEWSLETTER + "/issues/{issue}/stop",
        handler=post_issue_stop,
        summary="Send no more of a mailing.",
        answer=IssueAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=_NEWSLETTER + "/test",
        handler=post_newsletter_test,
        summary="Mail the newest episode to yourself, as readers get it.",
        status=202,
        needs=Permission.MANAGE,
    ),
)
