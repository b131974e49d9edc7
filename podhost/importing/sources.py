"""Who hosts a show now, and what the old host says of its audio: asked by HEAD, of a few files.

It downloads no audio. What is inserted into audio at each request is only suspected here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from podhost.errors import PodhostError
from podhost.fetching import told_bytes
from podhost.formats.imported import COMES, ImportedEpisode, ImportedShow

if TYPE_CHECKING:
    from podhost.fetching import Fetched, Fetcher

# So many of the newest episodes are asked about.
LOOKED_AT = 3
_SECONDS = 20.0
# By the end of a host name, of the audio or of the feed.
_HOSTS = {
    "acast.com": "Acast",
    "megaphone.fm": "Megaphone",
    "art19.com": "ART19",
    "omny.fm": "Omny Studio",
    "omnycontent.com": "Omny Studio",
    "spreaker.com": "Spreaker",
    "simplecast.com": "Simplecast",
    "simplecastaudio.com": "Simplecast",
    "libsyn.com": "Libsyn",
    "buzzsprout.com": "Buzzsprout",
    "podbean.com": "Podbean",
    "transistor.fm": "Transistor",
    "captivate.fm": "Captivate",
    "anchor.fm": "Spotify for Creators",
    "soundcloud.com": "SoundCloud",
    "blubrry.com": "Blubrry",
    "podigee.io": "Podigee",
    "fireside.fm": "Fireside",
    "redcircle.com": "RedCircle",
    "ivoox.com": "iVoox",
    "ausha.co": "Ausha",
    "letscast.fm": "LetsCast",
    "rss.com": "RSS.com",
    "audioboom.com": "Audioboom",
    "pinecast.com": "Pinecast",
    "castos.com": "Castos",
    "zencast.fm": "Zencast",
    "podomatic.com": "Podomatic",
}
# By a word in the feed's generator.
_GENERATORS = ("Castopod", "Podlove", "PowerPress", "WordPress", "Podigee", "Libsyn", "podhost")
# They are known to put advertisements into audio at each request.
_INSERTING = frozenset({"Acast", "Megaphone", "ART19", "Omny Studio", "Spreaker", "Simplecast"})
_SIGNATURES = ("signature=", "x-amz-", "expires=", "token=", "policy=")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLook:
    """What is known of the audio without downloading it; sizes in bytes.

    `told_bytes` is what the feed says of `told_count` episodes, `estimated_bytes` that with the
    others reckoned like their mean, None when nothing is known. `looked_at` episodes were asked
    for at the old host; `problems` are sentences on them. `insertion_signs` are reasons to suspect
    that advertisements are put into the audio at each request.
    """

    count: int = 0
    told_count: int = 0
    told_bytes: int = 0
    estimated_bytes: int | None = None
    looked_at: int = 0
    prefixes: tuple[tuple[str, int], ...] = ()
    problems: tuple[str, ...] = ()
    insertion_signs: tuple[str, ...] = ()


def old_host(show: ImportedShow) -> str | None:
    """The name of the company or program that the show is hosted with now, if it is known."""
    generator = (show.generator or "").lower()
    for name in _GENERATORS:
        if name.lower() in generator:
            return name
    addresses = [show.self_url or ""]
    addresses += [e.enclosure.media_url for e in show.episodes[:LOOKED_AT] if e.enclosure]
    return next((name for name in map(_known_host, addresses) if name), None)


def look_at_audio(episodes: Sequence[ImportedEpisode], fetcher: "Fetcher") -> AudioLook:
    """Add up what the feed says, and ask the old host about the newest few. Never raises."""
    coming = [e for e in episodes if e.outcome == COMES and e.enclosure is not None]
    enclosures = [e.enclosure for e in coming if e.enclosure is not None]
    told = [e.size_bytes for e in enclosures if e.size_bytes]
    prefixes = Counter(prefix for e in enclosures for prefix in e.prefixes)
    problems: list[str] = []
    signs: list[str] = []
    sizes: list[int] = []
    for episode in coming[:LOOKED_AT]:
        sizes += _asked(episode, fetcher, problems, signs)
    known = told or sizes
    mean = sum(known) / len(known) if known else None
    return AudioLook(
        count=len(enclosures),
        told_count=len(told),
        told_bytes=sum(told),
        estimated_bytes=round(sum(told) + mean * (len(enclosures) - len(told))) if mean else None,
        looked_at=min(len(coming), LOOKED_AT),
        prefixes=tuple(prefixes.most_common()),
        problems=tuple(problems),
        insertion_signs=tuple(dict.fromkeys(signs)),
    )


def _known_host(address: str) -> str | None:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return None
    parts = host.split(".")
    return next(
        (name for end in range(len(parts)) if (name := _HOSTS.get(".".join(parts[end:])))), None
    )


def _asked(
    episode: ImportedEpisode, fetcher: "Fetcher", problems: list[str], signs: list[str]
) -> list[int]:
    """The size of the episode's audio as its server tells it, or nothing."""
    assert episode.enclosure is not None
    url = episode.enclosure.media_url
    place = f"episode {episode.position}"
    if (name := _known_host(url)) in _INSERTING:
        signs.append(f"{name} is known for it")
    try:
        first = _head(url, fetcher)
        if first.status >= 400:
            problems.append(f"{place}: its audio answers {first.status}.")
            return []
        second = _head(url, fetcher)
    except PodhostError as error:
        problems.append(f"{place}: {error.message}")
        return []
    mime_type = first.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mime_type.startswith("text/"):
        problems.append(f"{place}: its audio is {mime_type}, which is no audio.")
    size_bytes = _size_bytes(first)
    if size_bytes != _size_bytes(second):
        signs.append("the size of the audio changes from one request to the next")
    if any(sign in first.url.lower() for sign in _SIGNATURES) and first.hops:
        signs.append("audio is sent from addresses that work once")
    told = episode.enclosure.size_bytes
    if told and size_bytes and told != size_bytes:
        problems.append(f"{place}: the feed says {told:,} bytes, the server {size_bytes:,}.")
    return [size_bytes] if size_bytes else []


def _head(url: str, fetcher: "Fetcher") -> "Fetched":
    headers = {"accept-encoding": "identity"}
    return fetcher.get(url, max_bytes=0, headers=headers, method="HEAD", seconds=_SECONDS)


def _size_bytes(answer: "Fetched") -> int | None:
    return told_bytes(answer.headers.get("content-length", ""))
