"""Errors for people: one sentence and a way on; it says nothing of what is not public."""

from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from podhost.errors import PodhostError
from podhost.translations import words
from podhost.web.responses import error_status
from podhost.web.site.templates import rendered
from podhost.web.static_files import static_path

if TYPE_CHECKING:
    from podhost.web.site.looks import Look

_POLICY = "Content-Security-Policy"
_HEADERS = {
    _POLICY: (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


def error_page(error: PodhostError, look: "Look", *, is_framed: bool = False) -> Response:
    """What a page of a show could not do, with the way back to the show; `is_framed` is for frames
    in pages of others, in which a browser's own sign of a page that it may not show says nothing.
    """
    made = refusal(error_status(error.code), error.message, look.language, look, is_framed)
    if is_framed:
        policy = _HEADERS[_POLICY].replace("frame-ancestors 'none'", "frame-ancestors *")
        made.headers[_POLICY] = policy
    return made


def refusal(
    status: int,
    message: str,
    language: str = "en",
    look: "Look | None" = None,
    is_framed: bool = False,
) -> Response:
    """An error that is no show's, or is that of `look`; `message` is a sentence in English."""
    _ = words(language)
    titles = {
        404: _("Not found"),
        410: _("No longer here"),
        503: _("Back in a moment"),
    }
    values = {
        "title": titles.get(status, _("This did not work")),
        "message": _.said(message),
        "language": language,
        "look": look,
        "is_framed": is_framed,
        # Of the field that searches the show.
        "path": look.path if look is not None else None,
        "ours": "",
        "theirs": Markup(' lang="{}"').format(look.show.language) if look is not None else "",
        "static": static_path,
    }
    settings = look.instance.settings if look is not None else None
    body = rendered(settings, language, "site/error.html", values)
    return HTMLResponse(body, status, _HEADERS)
