"""Tags that shows and episodes share, from foreign feeds into values, and those kept verbatim.

It knows the podcast namespace and inline chapters; RSS and iTunes tags are read beside it.
"""

import re
from typing import Any

from podhost.formats.chapters import Chapter, play_time_ms
from podhost.formats.feed_xml import name_of, text_of
from podhost.formats.foreign_tags import (
    PODCAST_TAGS,
    canonical,
    fitting,
    is_foreign,
    is_obsolete,
)
from podhost.formats.imported import (
    ImportedLink,
    ImportedPerson,
    ImportedSoundbite,
    ImportedTag,
    ImportedTranscript,
)
from podhost.formats.rss_import_fields import Fields, kept, meant_url, one_line
from podhost.formats.text import truncate_text

# The namespace's limit for names and labels.
_LABEL_CHARS = 128
_MAX_DEPTH = 8
_MAX_PROOF_CHARS = 1_000


# Of the podcast namespace, those that are read into fields of their own.
_FIELDS = frozenset(
    f"podcast:{name}"
    for name in (
        *("guid", "locked", "medium", "person", "transcript", "chapters", "soundbite", "funding"),
        *("license", "season", "episode"),
    )
)
_WHOLE = PODCAST_TAGS - _FIELDS
_APPLE_PROOF = "itunes:applepodcastsverify"
_SECONDS = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,12})?", re.ASCII)


def people(fields: Fields) -> tuple[ImportedPerson, ...]:
    """The podcast:person tags with a name."""
    return kept(fields.all("podcast:person"), lambda element: _person(fields, element))


def transcripts(fields: Fields) -> tuple[ImportedTranscript, ...]:
    """The podcast:transcript tags with an address."""
    return kept(fields.all("podcast:transcript"), lambda element: _transcript(fields, element))


def funding(fields: Fields) -> tuple[ImportedLink, ...]:
    """The podcast:funding tags with an address."""
    links = (_link(fields, element) for element in fields.all("podcast:funding"))
    return tuple(link for link in links if link.url)


def license_of(fields: Fields) -> ImportedLink | None:
    """The first podcast:license."""
    found = [_link(fields, element) for element in fields.all("podcast:license")]
    return next((link for link in found if link.url or link.text), None)


def soundbites(fields: Fields) -> tuple[ImportedSoundbite, ...]:
    """The podcast:soundbite tags with times that are numbers."""
    return kept(fields.all("podcast:soundbite"), lambda element: _soundbite(fields, element))


def inline_chapters(fields: Fields) -> tuple[Chapter, ...]:
    """The Podlove Simple Chapters inside the item, as they are; times are not fitted to audio."""
    elements = [child for chapters in fields.all("psc:chapters") for child in chapters]
    named = [child for child in elements if isinstance(child.tag, str)]
    return kept(named, lambda element: _chapter(fields, element))


def other_podcast_tags(fields: Fields) -> tuple[ImportedTag, ...]:
    """The optional tags that have no field of their own, whole, in the order of the feed; Apple's
    own proof of ownership as the podcast:txt that means the same to it."""
    tags = [
        _whole(element, _MAX_DEPTH)
        for name in fields.names()
        if name in _WHOLE
        for element in fields.all(name)
    ]
    proofs = [text for text in fields.texts(_APPLE_PROOF) if len(text) <= _MAX_PROOF_CHARS]
    purpose = {"purpose": "applepodcastsverify"}
    return (*tags, *(ImportedTag("podcast:txt", text, purpose) for text in proofs))


def unknown_xml(fields: Fields) -> tuple[str, ...]:
    """The tags that podhost does not know, each as XML that stands for itself: what
    `feed_tags` takes as foreign tags."""
    found: list[str] = []
    for name in fields.names():
        for element in fields.all(name) if is_foreign(name) else ():
            try:
                found.append(canonical(element))
            except ValueError as error:
                message = "A tag that podhost does not know cannot be kept."
                fields.note(message, "It is left out.", f"{name}: {error}")
    kept_tags = fitting(found)
    if len(kept_tags) < len(found):
        fields.note(
            "There are more tags that podhost does not know than can be kept.",
            "The first of them are kept.",
            f"{len(kept_tags)} of {len(found)}",
        )
    return tuple(kept_tags)


def obsolete_names(fields: Fields) -> list[str]:
    """The names of tags that are there and that nobody reads any more, each as often as it is."""
    return [name for name in fields.names() if is_obsolete(name) for _ in fields.all(name)]


def _person(fields: Fields, element: Any) -> ImportedPerson | None:
    name = _label(fields, text_of(element))
    if not name:
        fields.note("A person has no name.", "They are left out.")
        return None
    return ImportedPerson(
        name=name,
        role=one_line(element.get("role", "")).lower() or "host",
        group=one_line(element.get("group", "")).lower() or "cast",
        url=fields.url(element.get("href", "").strip()),
        image_url=fields.url(element.get("img", "").strip()),
    )


def _label(fields: Fields, text: str) -> str:
    return truncate_text(one_line(fields.meant(text)), _LABEL_CHARS)


def _transcript(fields: Fields, element: Any) -> ImportedTranscript | None:
    url = fields.url(element.get("url", "").strip())
    if url is None:
        return None
    return ImportedTranscript(
        url=url,
        mime_type=element.get("type", "").strip().lower(),
        language=element.get("language", "").strip() or None,
        rel=element.get("rel", "").strip() or None,
    )


def _link(fields: Fields, element: Any) -> ImportedLink:
    text = _label(fields, text_of(element))
    return ImportedLink(fields.url(element.get("url", "").strip()), text)


def _soundbite(fields: Fields, element: Any) -> ImportedSoundbite | None:
    start, duration = (element.get(name, "").strip() for name in ("startTime", "duration"))
    if not (_SECONDS.fullmatch(start) and _SECONDS.fullmatch(duration)):
        fields.note("A soundbite has no times.", "It is left out.", f"{start} {duration}")
        return None
    title = _label(fields, text_of(element))
    return ImportedSoundbite(round(float(start) * 1000), round(float(duration) * 1000), title)


def _chapter(fields: Fields, element: Any) -> Chapter | None:
    """One psc:chapter; its start is Normal Play Time (RFC 2326 3.6)."""
    start = element.get("start", "").strip()
    start_ms = play_time_ms(start)
    if start_ms is None:
        fields.note("A chapter's start is no time.", "The chapter is left out.", start)
        return None
    return Chapter(
        start_ms=start_ms,
        title=_label(fields, element.get("title", "")),
        url=meant_url(element.get("href", ""), fields.base_url),
        image_url=meant_url(element.get("image", ""), fields.base_url),
    )


def _whole(element: Any, depth: int) -> ImportedTag:
    """The tag and what is in it; the text of one with tags inside is what stands before them."""
    children = [child for child in element if isinstance(child.tag, str)] if depth else []
    text = (element.text or "") if children else text_of(element)
    return ImportedTag(
        name=name_of(element),
        text=text.strip(),
        attributes={str(name): str(value) for name, value in element.attrib.items()},
        children=tuple(_whole(child, depth - 1) for child in children),
    )
