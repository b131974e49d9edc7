"""Items of a foreign feed as episodes: each by itself, then what only all of them together tell.

Guids are taken letter by letter. One item that cannot be read never stops the others.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from podhost.errors import PodhostError
from podhost.formats import rss_import_tags as tags
from podhost.formats.feed_dates import MISSING, UNREADABLE, read_date
from podhost.formats.feed_words import EPISODE_TYPES
from podhost.formats.feed_xml import text_of
from podhost.formats.imported import (
    COMES,
    DRAFT,
    SECOND_COPY,
    ImportedEnclosure,
    ImportedEpisode,
    Oddity,
)
from podhost.formats.media_prefixes import innermost_url
from podhost.formats.rss_import_fields import Fields, kept, meant_url, one_line, positive
from podhost.formats.rss_import_notes import has_markup, read_notes
from podhost.formats.text import is_guid, shown

UNTITLED = "Untitled"
# Apple keeps no more of a guid.
_LONG_GUID_CHARS = 255
_MEDIA_ENDING = re.compile(r"\.(?:mp3|m4a|mp4|m4v|mov|aac|ogg|opus|wav|flac)\Z", re.IGNORECASE)
_DURATION = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,6})(?:\.[0-9]{1,9})?", re.A)
_SEASON_AND_NUMBER = re.compile(r"\bS([0-9]{1,3})\s*[.:·-]?\s*E([0-9]{1,4})\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?:#|\bEp(?:isode|\.)?\s*)([0-9]{1,5})\b", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,6})?", re.ASCII)
_SIZE = re.compile(r"0*[1-9][0-9]{0,11}", re.ASCII)
_SECOND = timedelta(seconds=1)
# Alternatives of one episode; more are a trap.
_MAX_ENCLOSURES = 20


def read_episode(
    item: Any, position: int, *, feed_url: str | None, page_url: str | None
) -> tuple[ImportedEpisode | None, list[Oddity], list[str]]:
    """Give an item's episode, what is odd about it, and the names of tags that nobody reads.

    No episode, and an oddity, when the item cannot be read at all.
    """
    place = f"episode {position}"
    try:
        fields = Fields(item, place, feed_url or page_url)
        title = _title(fields)
        fields.place = f"{place} “{shown(title, 60)}”"
        for index, oddity in enumerate(fields.oddities):
            fields.oddities[index] = replace(oddity, place=fields.place)
        return (
            _episode(fields, title, position, page_url),
            fields.oddities,
            tags.obsolete_names(fields),
        )
    except (PodhostError, ValueError, ArithmeticError, LookupError) as error:
        return None, [Oddity(place, "It cannot be read.", "It is left out.", shown(str(error)))], []


def settled(
    episodes: Sequence[ImportedEpisode],
) -> tuple[list[ImportedEpisode], list[Oddity]]:
    """Give the episodes of a feed with what only their neighbours tell, in the same order.

    Second copies are marked, other episodes with a taken guid get one of their own (RSS 2.0: a
    guid is unique), missing dates are proposed between the neighbours, equal dates told apart.
    """
    oddities: list[Oddity] = []
    made = _with_own_guids(episodes, oddities)
    made = _with_own_dates(made, oddities)
    return _with_proposed_dates(made), oddities


def place_of(episode: ImportedEpisode) -> str:
    """How sentences name an episode."""
    return f"episode {episode.position} “{shown(episode.title, 60)}”"


def _episode(fields: Fields, title: str, position: int, page_url: str | None) -> ImportedEpisode:
    url = _page(fields)
    enclosures = _enclosures(fields)
    guid, is_permalink = _guid(fields, enclosures)
    notes = read_notes(
        fields.prose("content:encoded"),
        fields.prose("description", "itunes:summary", "itunes:subtitle", "atom:summary"),
        title=title,
        base_url=url or page_url or fields.base_url,
    )
    if notes.was_cut:
        fields.note("The notes are longer than 128 KB.", "They are cut.")
    if notes.tracking_pictures:
        fields.note("Invisible pictures in the notes count readers.", "They are left out.")
    season, number = _numbers(fields)
    suggested_season, suggested_number = _suggested(title)
    itunes_title = fields.line("itunes:title")
    has_all = bool(enclosures) and is_guid(guid)
    return ImportedEpisode(
        position=position,
        title=title,
        itunes_title=itunes_title if itunes_title != title and itunes_title else None,
        guid=guid,
        outcome=COMES if has_all else DRAFT,
        guid_is_permalink=is_permalink,
        published_at=_date(fields),
        url=url,
        notes_html=notes.notes_html,
        boilerplate_html=notes.boilerplate_html,
        enclosure=enclosures[0] if enclosures else None,
        more_enclosures=tuple(enclosures[1:]),
        duration_seconds=_duration(fields.text("itunes:duration")),
        explicit=fields.flag("itunes:explicit", "googleplay:explicit"),
        episode_type=_episode_type(fields),
        season=season,
        season_name=one_line(fields.meant(fields.attribute("podcast:season", "name"))) or None,
        number=number,
        decimal_number=_decimal(fields.text("podcast:episode")),
        number_display=one_line(fields.meant(fields.attribute("podcast:episode", "display")))
        or None,
        suggested_season=suggested_season if season is None else None,
        suggested_number=suggested_number if number is None else None,
        author=fields.line("itunes:author", "dc:creator", "googleplay:author") or None,
        artwork_url=fields.url(artwork_address(fields)),
        is_blocked=fields.is_yes("itunes:block"),
        people=tags.people(fields),
        transcripts=tags.transcripts(fields),
        chapters_url=fields.url(fields.attribute("podcast:chapters", "url")),
        chapters=tags.inline_chapters(fields),
        soundbites=tags.soundbites(fields),
        funding=tags.funding(fields),
        license=tags.license_of(fields),
        tags=tags.other_podcast_tags(fields),
        unknown_xml=tags.unknown_xml(fields),
    )


def artwork_address(fields: Fields) -> str:
    """The picture's address as it is written, of a channel or an item; "" for none."""
    return (
        fields.attribute("itunes:image", "href")
        or fields.text("itunes:image")
        or fields.attribute("googleplay:image", "href")
    )


def _title(fields: Fields) -> str:
    written = fields.text("title", "itunes:title", "dc:title")
    title = fields.line("title", "itunes:title", "dc:title")
    if has_markup(written):
        fields.note("There is HTML in the title.", "It is taken out.", written)
    if not title:
        fields.note("The episode has no title.", f"It is called “{UNTITLED}”.")
    return title or UNTITLED


def _page(fields: Fields) -> str | None:
    written = fields.text("link")
    return meant_url(written, fields.base_url)


def _guid(fields: Fields, enclosures: list[ImportedEnclosure]) -> tuple[str, bool]:
    """The guid that apps know the episode by, and whether it says that it is a permalink."""
    elements = fields.all("guid")
    # What a conforming client sees: outer white space is none of it, everything else is.
    guid = text_of(elements[0]).strip() if elements else ""
    is_permalink = bool(guid) and elements[0].get("isPermaLink", "true").strip().lower() != "false"
    if not guid:
        # Apple and Podcast Index took the enclosure's address in its place, as it is printed.
        guid = _printed_enclosure(fields) if enclosures else ""
        if guid:
            fields.note("The episode has no guid.", "It gets its audio's address, as apps did.")
    elif len(guid) > _LONG_GUID_CHARS:
        fields.note("The guid is longer than 255 characters.", "It is kept.", guid)
    if guid and not is_guid(guid):
        fields.note(
            "The guid is one that no app can tell from others.",
            "The episode comes as a draft, until you give it another guid.",
            guid,
            is_question=True,
        )
    return guid, is_permalink


def _printed_enclosure(fields: Fields) -> str:
    return next(iter(_addresses(fields)), ("", None, None))[0]


def _addresses(fields: Fields) -> list[tuple[str, str | None, str | None]]:
    """Address, length and type as they are written, of whatever is the audio; best first."""
    origin = fields.text("feedburner:origEnclosureLink")
    found: list[tuple[str, str | None, str | None]] = [
        (element.get("url", "").strip(), element.get("length"), element.get("type"))
        for element in fields.all("enclosure")[:_MAX_ENCLOSURES]
    ]
    if origin and found:
        found[0] = (origin, *found[0][1:])
    found = [entry for entry in found if entry[0]]
    if not found:
        found = [
            (element.get("url", "").strip(), element.get("fileSize"), element.get("type"))
            for element in fields.all("media:content")[:_MAX_ENCLOSURES]
            if _is_media(element)
        ]
    link = fields.text("link")
    if not found and _MEDIA_ENDING.search(link.partition("?")[0]):
        found = [(link, None, None)]
    return found


def _is_media(element: Any) -> bool:
    kind = element.get("medium", "") or element.get("type", "").partition("/")[0]
    return kind.strip().lower() in ("audio", "video") and bool(element.get("url", "").strip())


def _enclosures(fields: Fields) -> list[ImportedEnclosure]:
    made = list(kept(_addresses(fields), lambda entry: _enclosure(fields, *entry)))
    if len(made) > 1:
        fields.note(
            "The episode has more than one audio file.",
            "The first is its audio, as in apps; the others are kept as alternatives.",
        )
    if not made:
        fields.note("The episode has no audio.", "It comes as a draft.", is_question=True)
    return made


def _enclosure(
    fields: Fields, written: str, length: str | None, mime_type: str | None
) -> ImportedEnclosure | None:
    url = fields.url(written)
    if url is None:
        return None
    media_url, prefixes = innermost_url(url)
    digits = (length or "").strip()
    return ImportedEnclosure(
        url=url,
        media_url=meant_url(media_url, None) or url,
        prefixes=prefixes,
        size_bytes=int(digits) if _SIZE.fullmatch(digits) else None,
        mime_type=(mime_type or "").strip().lower() or None,
    )


def _date(fields: Fields) -> datetime | None:
    written = fields.text("pubDate", "dc:date", "atom:published")
    moment, warnings = read_date(written)
    for warning in warnings:
        if warning in (MISSING, UNREADABLE):
            repair = "A date between its neighbours is proposed."
            fields.note(warning, repair, written, is_question=True)
        else:
            fields.note(warning, "It is read as said.", written)
    return moment


def _duration(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(match[number] or 0) for number in (1, 2, 3))
    return (hours * 60 + minutes) * 60 + seconds


def _episode_type(fields: Fields) -> str:
    kind = fields.text("itunes:episodeType").lower()
    if kind and kind not in EPISODE_TYPES:
        fields.note("The type of the episode is unknown.", "It is a full one.", kind)
    return kind if kind in EPISODE_TYPES else "full"


def _numbers(fields: Fields) -> tuple[int | None, int | None]:
    """Season and number: above zero, or not at all."""
    return (
        _number(fields, "season", ("itunes:season", "podcast:season")),
        _number(fields, "episode", ("itunes:episode", "podcast:episode")),
    )


def _number(fields: Fields, what: str, names: tuple[str, ...]) -> int | None:
    written = [text for text in fields.texts(*names) if what == "season" or not _decimal(text)]
    for text in written:
        if (number := positive(text)) is not None:
            return number
    for text in written:
        digits = re.findall("[0-9]+", text[:20])
        # "S01" and "12a" mean one number; "1.5" and "3-4" do not.
        if len(digits) == 1 and (number := positive(digits[0])) is not None:
            fields.note(f"The number of the {what} is no number.", "Its digits are taken.", text)
            return number
    if written:
        fields.note(f"The number of the {what} is none above 0.", "It is left out.", written[0])
    return None


def _decimal(text: str) -> str | None:
    """The number that the podcast namespace allows and Apple does not: with decimals, or 0."""
    is_number = _DECIMAL.fullmatch(text) is not None and positive(text) is None
    return f"{Decimal(text):f}" if is_number else None


def _suggested(title: str) -> tuple[int | None, int | None]:
    if match := _SEASON_AND_NUMBER.search(title):
        return positive(match[1]), positive(match[2])
    match = _NUMBER.search(title)
    return None, positive(match[1]) if match else None


def _with_own_guids(
    episodes: Sequence[ImportedEpisode], oddities: list[Oddity]
) -> list[ImportedEpisode]:
    first: dict[str, ImportedEpisode] = {}
    audio: dict[str, ImportedEpisode] = {}
    made: list[ImportedEpisode] = []
    for episode in episodes:
        if episode.guid and (known := first.get(episode.guid)) is not None:
            episode = _after_another(episode, known, first, oddities)
        if episode.outcome != SECOND_COPY:
            if episode.guid:
                first.setdefault(episode.guid, episode)
            _note_same_audio(episode, audio, oddities)
        made.append(episode)
    return made


def _after_another(
    episode: ImportedEpisode,
    known: ImportedEpisode,
    first: dict[str, ImportedEpisode],
    oddities: list[Oddity],
) -> ImportedEpisode:
    """The second with a guid: apps have the first. Another episode gets a guid of its own, always
    the same one, so that it stays the same when the feed is read again."""
    message, detail = "The guid is that of another episode.", place_of(known)
    address = episode.enclosure.url if episode.enclosure else ""
    if not address or (known.enclosure and known.enclosure.url == address):
        repair = "It is a second copy, and left out."
        oddities.append(Oddity(place_of(episode), message, repair, detail, is_question=True))
        return replace(episode, outcome=SECOND_COPY)
    own = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{address}\n{_utf8(episode.guid)}"))
    outcome = SECOND_COPY if own in first else episode.outcome
    repair = "It gets a guid of its own: apps could not see it before."
    oddities.append(Oddity(place_of(episode), message, repair, detail, is_question=True))
    return replace(episode, guid=own, guid_is_permalink=False, outcome=outcome)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _note_same_audio(
    episode: ImportedEpisode, audio: dict[str, ImportedEpisode], oddities: list[Oddity]
) -> None:
    if episode.enclosure is None:
        return
    other = audio.setdefault(episode.enclosure.media_url, episode)
    if other is not episode:
        message, repair = "The audio is that of another episode.", "Both come, each with a copy."
        oddities.append(Oddity(place_of(episode), message, repair, place_of(other)))


def _with_own_dates(
    episodes: list[ImportedEpisode], oddities: list[Oddity]
) -> list[ImportedEpisode]:
    """Episodes of one second keep the feed's order, each a second before the one above it."""
    dates = [episode.published_at for episode in episodes if episode.published_at is not None]
    is_newest_first = not dates or dates[0] >= dates[-1]
    made = list(episodes)
    taken = set(dates)
    # Where the last one of that second went, so that a thousand of one second take no time.
    latest: dict[datetime, datetime] = {}
    for index in range(len(made)) if is_newest_first else reversed(range(len(made))):
        moment = made[index].published_at
        if moment is None or made[index].outcome == SECOND_COPY:
            continue
        if moment in latest and latest[moment].year > 1:
            own = latest[moment] - _SECOND
            while own in taken and own.year > 1:
                own -= _SECOND
            taken.add(own)
            latest[moment] = own
            message = "The date is that of another episode too."
            repair = "It is moved by seconds, so that the order stays."
            oddities.append(Oddity(place_of(made[index]), message, repair))
            made[index] = replace(made[index], published_at=own)
        else:
            latest[moment] = moment
    return made


def _with_proposed_dates(episodes: list[ImportedEpisode]) -> list[ImportedEpisode]:
    made = list(episodes)
    above: datetime | None = None
    below = _next_dates(episodes)
    for index, episode in enumerate(episodes):
        if episode.published_at is not None:
            above = episode.published_at
            continue
        proposed = _between(above, below[index])
        above = proposed or above
        made[index] = replace(episode, proposed_at=proposed)
    return made


def _next_dates(episodes: list[ImportedEpisode]) -> list[datetime | None]:
    found: list[datetime | None] = []
    below: datetime | None = None
    for episode in reversed(episodes):
        found.append(below)
        below = episode.published_at or below
    return found[::-1]


def _between(above: datetime | None, below: datetime | None) -> datetime | None:
    if above is not None and below is not None:
        return (below + (above - below) / 2).replace(microsecond=0)
    day = timedelta(days=1)
    try:
        return above - day if above is not None else below + day if below is not None else None
    except OverflowError:
        return above or below
