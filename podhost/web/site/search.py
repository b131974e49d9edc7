"""Search for readers: a page that needs no script, and the hits that a script shows meanwhile.

What is found, and that nothing else is, is decided in podhost.search.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

import msgspec

from podhost.errors import NotFound
from podhost.formats.figures import clock
from podhost.formats.text import truncate_text
from podhost.search import MOST_COUNTED, Hit, Results, search
from podhost.search.rows import KINDS, TRANSCRIPT
from podhost.translations import Words
from podhost.web.site.looks import Head, Look, Page, SiteRoute

HITS_PER_PAGE = 20
# What fits below a field without scrolling.
HITS_WHILE_TYPING = 8
OPENSEARCH_TYPE = "application/opensearchdescription+xml"
_JSON = "application/json; charset=utf-8"
_JSON_CACHING = "public, max-age=60"
_OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
# What OpenSearch leaves room for.
_SHORT_NAME_CHARS = 16
_LONG_NAME_CHARS = 48
_ICON_PX = 64
# More of it is not looked for either.
_MOST_CHARS = 300
# They may stand in no page (WHATWG HTML, 13.2.3.5), and nobody types them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Where the pages of a kind are, if not below its own name.
_FOLDERS = {"person": "people", TRANSCRIPT: "episodes"}


class Kind(NamedTuple):
    """A kind of results that one may ask for alone; `key` is None for all of them."""

    key: str | None
    title: str
    # With a sign behind where there are more than were counted.
    shown_count: str


class Result(NamedTuple):
    """Something found, and its path on this host; `time` is when it is said in the episode."""

    path: str
    hit: Hit
    kind: str
    time: str


def search_page(look: Look) -> Page:
    """`/<show>/search?q=&kind=&page=`: a field, and what was found."""
    words, kind, number = _asked(look), _kind(look), look.page_number()
    offset = (number - 1) * HITS_PER_PAGE
    found = _search(look, words, kind=kind, limit=HITS_PER_PAGE, offset=offset)
    if not found.hits and number > 1:
        raise NotFound("There is no such page.")
    _ = look.words
    return Page(
        template="site/search.html",
        head=Head(
            title=_("Search: %(words)s", words=words) if words else _("Search"),
            path="/search",
            description=_("Search what was said and written.") if not words else "",
            picture=look.show.artwork,
            is_indexed=not words,
        ),
        values={
            "words": words,
            "kind": kind,
            "kinds": _kinds(_, found, kind),
            "results": [_result(look, hit) for hit in found.hits],
            "said": _said(_, found),
            "first": offset + 1,
            "page": number,
            "pages": -(-found.total // HITS_PER_PAGE),
        },
    )


def search_json(look: Look) -> Page:
    """`/<show>/search.json?q=`: the best hits, while somebody types."""
    words = _asked(look)
    found = _search(look, words, kind=_kind(look), limit=HITS_WHILE_TYPING)
    answer = {
        "said": _said(look.words, found) if words else "",
        "total": found.total,
        "hits": [_told(look, _result(look, hit)) for hit in found.hits],
    }
    return Page(
        body=msgspec.json.encode(answer),
        content_type=_JSON,
        headers={"cache-control": _JSON_CACHING, "x-robots-tag": "noindex"},
    )


def search_description(look: Look) -> Page:
    """`/<show>/opensearch.xml`: how a browser searches the show from its address bar (OpenSearch
    1.1, https://github.com/dewitt/opensearch)."""
    show = look.show
    root = ElementTree.Element("OpenSearchDescription", xmlns=_OPENSEARCH)
    told = {
        "ShortName": truncate_text(show.title, _SHORT_NAME_CHARS),
        "LongName": truncate_text(show.title, _LONG_NAME_CHARS),
        "Description": look.words("Search what was said and written."),
        "Language": show.language,
        "AdultContent": str(show.explicit).lower(),
        "InputEncoding": "UTF-8",
        "OutputEncoding": "UTF-8",
    }
    for name, text in told.items():
        ElementTree.SubElement(root, name).text = text
    if show.artwork is not None:
        width, height = look.picture_size(show.artwork, _ICON_PX)
        size = {"width": str(width), "height": str(height), "type": show.artwork.mime_type}
        icon = ElementTree.SubElement(root, "Image", size)
        icon.text = look.picture_url(show.artwork, _ICON_PX)
    template = look.url("/search?q={searchTerms}")
    ElementTree.SubElement(root, "Url", type="text/html", method="get", template=template)
    return Page(
        body=ElementTree.tostring(root, encoding="utf-8", xml_declaration=True),
        content_type=f"{OPENSEARCH_TYPE}; charset=utf-8",
    )


def _asked(look: Look) -> str:
    """What is looked for, fit to be shown again."""
    typed = look.query.get("q", "")[:_MOST_CHARS]
    return " ".join(_CONTROLS.sub(" ", typed).split())


def _kind(look: Look) -> str | None:
    """The kind that ?kind= names, None for all. Raises NotFound."""
    kind = look.query.get("kind") or None
    if kind not in (None, *KINDS):
        raise NotFound("There is no such page.")
    return kind


def _search(look: Look, words: str, **more: Any) -> Results:
    return search(look.session, look.show, words, **more)


def _result(look: Look, hit: Hit) -> Result:
    path = look.path(f"/{_FOLDERS.get(hit.kind, hit.kind + 's')}/{hit.slug}")
    time = ""
    if hit.time_ms is not None:
        # The player goes there; without script it is the episode's page.
        path, time = f"{path}#t={hit.time_ms // 1000}", clock(hit.time_ms)
    return Result(path, hit, kind_words(look.words)[hit.kind][0], time)


def kind_words(_: Words) -> Mapping[str, tuple[str, str]]:
    """What one thing of each kind is called, and several."""
    return {
        "episode": (_("Episode"), _("Episodes")),
        "person": (_("Person"), _("People")),
        "article": (_("Article"), _("Articles")),
        TRANSCRIPT: (_("Transcript"), _("In transcripts")),
    }


def _kinds(_: Words, found: Results, chosen: str | None) -> list[Kind]:
    """The kinds of which something was found, behind all of them together."""
    called, counts = kind_words(_), found.counts
    kinds = [Kind(None, _("All"), _counted(found, None))]
    kinds += [
        Kind(kind, called[kind][1], _counted(found, kind))
        for kind in KINDS
        if counts[kind] or kind == chosen
    ]
    return kinds


def _counted(found: Results, kind: str | None) -> str:
    count = sum(found.counts.values()) if kind is None else found.counts[kind]
    has_more = kind in (None, TRANSCRIPT) and found.counts[TRANSCRIPT] >= MOST_COUNTED
    return f"{count}+" if has_more else str(count)


def _said(_: Words, found: Results) -> str:
    """How much was found, as a sentence."""
    if not found.total:
        return _("Nothing was found.")
    return _.plural("%(num)s result", "%(num)s results", found.total)


def _told(look: Look, result: Result) -> dict[str, Any]:
    """A hit as the script shows it."""
    hit = result.hit
    return {
        "path": result.path,
        "detail": " · ".join(part for part in (result.kind, result.time, hit.speaker) if part),
        "title": hit.title,
        "snippet": hit.snippet,
    }


ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/search", search_page, reads=("q", "kind", "page"), is_search=True),
    SiteRoute("/opensearch.xml", search_description),
    SiteRoute("/search.json", search_json, reads=("q", "kind"), is_search=True),
)
