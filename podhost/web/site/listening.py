"""What the player of a page is told of an episode: plain values; it reads no storage."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from podhost.artwork import artwork_url
from podhost.audio.revisions import enclosure_url
from podhost.formats.embedding import player_frame
from podhost.formats.transcript_paragraphs import read_paragraphs
from podhost.formats.transcripts import Cue
from podhost.models import Episode
from podhost.web.site.looks import Look
from podhost.web.site.sharing import ShareLink, share_links

_CHAPTER_PX = 96
_ARTWORK_PX = 300


class ListedChapter(NamedTuple):
    """A chapter in the player's list; `image` is the path of a picture that podhost holds."""

    start_seconds: float
    title: str
    url: str | None
    image: str | None


def player_values(
    look: Look, episode: Episode, cues: Iterable[Cue] = (), *, language: str = ""
) -> dict[str, Any] | None:
    """What the macro `player` of site/player.html takes; None where there is nothing to hear.

    `language` is that of the cues, where it is not the page's.
    """
    audio = episode.audio
    if audio is None:
        return None
    artwork = episode.artwork or look.show.artwork
    path = enclosure_url("", audio)
    return {
        "key": episode.id,
        "url": look.url(f"/episodes/{episode.slug}"),
        "title": episode.title,
        "show_title": look.show.title,
        "audio_url": path,
        "audio_type": audio.mime_type,
        "duration_seconds": audio.duration_ms / 1000,
        "download_url": f"{path}?download=1",
        "artwork_url": artwork_url("", artwork, size=_ARTWORK_PX) if artwork is not None else "",
        "chapters": _chapters(look, episode),
        "paragraphs": list(read_paragraphs(cues)),
        "transcript_language": language,
        "embed_code": player_frame(look.url(f"/embed/{episode.slug}"), episode.title),
        "networks": _networks(look, episode),
    }


def _networks(look: Look, episode: Episode) -> Sequence[ShareLink]:
    url = look.url(f"/episodes/{episode.slug}")
    return share_links(look.words, url, f"{episode.title} · {look.show.title}")


def _chapters(look: Look, episode: Episode) -> Sequence[ListedChapter]:
    # Pictures that lie elsewhere stay away: their host would learn who reads this page.
    shown = [chapter for chapter in episode.chapters if not chapter.is_hidden]
    return [
        ListedChapter(
            start_seconds=chapter.start_ms / 1000,
            title=chapter.title or look.words("Chapter %(number)s", number=number),
            url=chapter.url,
            image=artwork_url("", chapter.artwork, size=_CHAPTER_PX)
            if chapter.artwork is not None
            else None,
        )
        for number, chapter in enumerate(shown, start=1)
    ]
