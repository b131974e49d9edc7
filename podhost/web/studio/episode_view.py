"""What the episode page shows, read for one visit; it changes nothing."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_datetime
from sqlalchemy.orm import Session

from podhost.editing.edits import EditAnswer, EditConflict, read_edit
from podhost.editing.previews import NotesPreview, preview_notes
from podhost.episodes import episode_warnings
from podhost.errors import Invalid
from podhost.formats.figures import clock, file_size
from podhost.formats.introductions import NotesGuest
from podhost.formats.podcast_namespace import TAXONOMY
from podhost.models import Artwork, Audio, Episode
from podhost.people import PICTURE_PIXELS
from podhost.templating import json_text
from podhost.translations import Words
from podhost.web.studio import episode_form, episode_tags
from podhost.web.studio.visits import STUDIO, Visit

_NO_PERSON = {**dict.fromkeys(episode_form.PERSON_FIELDS, ""), "role": "cast/guest"}
_MORE = (
    *("link", "author", "season_name", "slug", "apple_title", "decimal_number"),
    *("episode_display", "labels", "artwork_alt", "license", "funding", "content_links", "blocked"),
)


def values_of(
    visit: Visit, session: Session, episode: Episode, wrong: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that the template names; `wrong` is what this very form could not be read for."""
    _, show = visit.words, episode.show
    edit = read_edit(session, episode, visit.account.account_id, now=visit.now())
    said = {**edit.values, **edit.copy}
    texts = episode_form.shown(said)
    _add_pictures(session, texts["people"])
    sentences = {**edit.errors, **wrong}
    errors = _errors(_, sentences)
    here = f"{STUDIO}/shows/{show.slug}/episodes/{episode.id}"
    zone = ZoneInfo(show.time_zone)
    scheduled = episode.published_at if episode.status == "scheduled" else None
    return {
        "show": show,
        "tab": "episodes",
        "episode": episode,
        "edit": edit,
        "edit_json": json_text(msgspec.json.encode(edit).decode()),
        "account_id": visit.account.account_id,
        "texts": texts,
        "was": episode_form.fingerprints(episode_form.shown(said)),
        "errors": errors,
        "conflicts": [_conflict(_, conflict) for conflict in edit.conflicts],
        "more_is_open": any(errors.get(name) for name in _MORE),
        "tag_fields": episode_tags.TAG_FIELDS,
        "tag_values": {name: said[name] for name in episode_tags.TAG_NAMES},
        "tag_errors": episode_tags.errors_beside(sentences),
        "say": _.said,
        "preview": _preview(said, show.language),
        "roles": _roles(_),
        "no_person": _NO_PERSON,
        "status_words": _statuses(_),
        "audio": _audio(_, episode.audio),
        "missing": [_.said(problem) for problem in edit.missing],
        "warnings": [_.said(warning) for warning in _warnings(edit, episode)],
        "page_url": f"/{show.slug}/episodes/{episode.slug}",
        "here": here,
        "api": f"/api/v1/shows/{show.slug}",
        "now_there": format_datetime(visit.now(), "HH:mm", tzinfo=zone, locale=visit.language),
        "at": f"{scheduled.astimezone(zone):%Y-%m-%dT%H:%M}" if scheduled else "",
        "at_error": errors.get("at", ""),
        "sentence": "",
    }


def _errors(_: Words, sentences: Mapping[str, str]) -> dict[str, str]:
    """By the field: what is wrong with it, or with which of its people."""
    errors: dict[str, str] = {}
    for path, sentence in sentences.items():
        name, bracket, rest = path.partition("[")
        place = f"{int(rest.partition(']')[0]) + 1}: " if bracket else ""
        errors[name] = " ".join(filter(None, (errors.get(name), place + _.said(sentence))))
    return errors


def _conflict(_: Words, conflict: EditConflict) -> dict[str, str]:
    sides = {"theirs": conflict.theirs, "yours": conflict.yours}
    title = _("{field}: {name} changed this while you did")
    title = title.replace("{field}", _labels(_).get(conflict.field, conflict.field))
    title = title.replace("{name}", conflict.changed_by or "podhost")
    return {"field": conflict.field, "title": title, **_sides(conflict.field, sides)}


def _sides(name: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Both texts of a field that two people changed."""
    if name in episode_tags.TAG_NAMES:
        return {side: episode_tags.in_words(value) for side, value in values.items()}
    return {
        side: _words(episode_form.shown({name: value}).get(name, value))
        for side, value in values.items()
    }


def _words(value: Any) -> str:
    if isinstance(value, list):
        rows = (", ".join(filter(None, person.values())) for person in value)
        return "\n".join(rows)
    return str(value)


def _add_pictures(session: Session, people: list[dict[str, Any]]) -> None:
    """Say which size of each held picture is shown small."""
    for person in people:
        artwork = session.get(Artwork, person["artwork_id"]) if person["artwork_id"] else None
        sizes = sorted(entry[0] for entry in artwork.sizes) if artwork is not None else []
        if not sizes:
            person["artwork_id"] = ""
        person["picture_size"] = next(
            (s for s in sizes if s >= PICTURE_PIXELS), max(sizes, default=0)
        )


def _preview(said: Mapping[str, Any], language: str) -> NotesPreview:
    guests = [
        NotesGuest(person.get("name") or "", person.get("url"), person.get("bio"))
        for person in said["people"]
        if (person.get("role") or "guest") == "guest"
    ]
    try:
        return preview_notes(said["notes"], guests, language=language)
    except Invalid as error:
        return NotesPreview(html="", warnings=[error.message], chars=0, size_bytes=0)


def _roles(_: Words) -> list[dict[str, Any]]:
    """The Podcast Taxonomy, those who are heard first."""
    groups = sorted(TAXONOMY, key=lambda group: group != "cast")
    return [
        {
            "words": _(group).capitalize(),
            "roles": [{"key": f"{group}/{role}", "words": _(role)} for role in TAXONOMY[group]],
        }
        for group in groups
    ]


def _labels(_: Words) -> dict[str, str]:
    """What the fields are called on the page, where somebody else may have changed them."""
    return {
        "title": _("Title"),
        "notes": _("Notes"),
        "people": _("People"),
        "season": _("Season"),
        "number": _("Number"),
        "episode_type": _("Type"),
        "explicit": _("Explicit content"),
        "blocked": _("Hide from Apple"),
        "slug": _("Address"),
        "link": _("Web page"),
        "author": _("Author"),
        "season_name": _("Name of the season"),
        "apple_title": _("Title for Apple"),
        "decimal_number": _("Decimal number"),
        "episode_display": _("Number in words"),
        "artwork_alt": _("Artwork in words"),
        "labels": _("Labels"),
        "funding": _("Ways to give money"),
        "content_links": _("Elsewhere"),
        "license": _("Licence"),
        **{field.name: _(field.label) for field in episode_tags.TAG_FIELDS},
    }


def _statuses(_: Words) -> dict[str, str]:
    return {
        "draft": _("Draft"),
        "scheduled": _("Scheduled"),
        "published": _("Published"),
        "withdrawn": _("Withdrawn"),
    }


def _audio(_: Words, audio: Audio | None) -> dict[str, Any] | None:
    if audio is None:
        return None
    kind = f"{audio.codec}, {round(audio.bitrate_bps / 1000)} kbit/s {audio.bitrate_mode}"
    return {
        "id": audio.id,
        "length": clock(audio.duration_ms),
        "size": file_size(audio.size_bytes),
        "kind": f"{kind}, {audio.sample_rate_hz / 1000:g} kHz",
        "sha256": audio.sha256,
        "problem": _.said(audio.problem) if audio.problem else None,
    }


def _warnings(edit: EditAnswer, episode: Episode) -> list[str]:
    """What is no reason not to publish, and worth a look."""
    problem = episode.audio.problem if episode.audio is not None else None
    return [text for text in episode_warnings(episode) if text not in (*edit.missing, problem)]
