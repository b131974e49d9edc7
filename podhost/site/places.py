"""The apps and networks that people know: how each is called and of which kind it is, by its host.

It asks nobody, and what is not in the table is as good: it has the name that its owner gives it.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

LISTEN, VIDEO, TALK, SUPPORT, FEED, WEB = "listen", "video", "talk", "support", "feed", "web"
# Small pictures of our own, one for each kind: those of companies are theirs.
ICONS = (LISTEN, VIDEO, TALK, SUPPORT, FEED, WEB)


class Place(NamedTuple):
    """An app or a network. `hosts` are its own, and those below them are too."""

    name: str
    kind: str
    hosts: tuple[str, ...]


# Those of one host before those of the host that theirs lies below.
PLACES: tuple[Place, ...] = (
    Place("Apple Podcasts", LISTEN, ("podcasts.apple.com", "itunes.apple.com")),
    Place("Spotify", LISTEN, ("spotify.com", "spotify.link")),
    Place("YouTube Music", LISTEN, ("music.youtube.com",)),
    Place("YouTube", VIDEO, ("youtube.com", "youtu.be")),
    Place(
        "Amazon Music",
        LISTEN,
        ("music.amazon.com", "music.amazon.co.uk", "music.amazon.de", "music.amazon.es"),
    ),
    Place("Audible", LISTEN, ("audible.com",)),
    Place("Overcast", LISTEN, ("overcast.fm",)),
    Place("Pocket Casts", LISTEN, ("pca.st", "pocketcasts.com")),
    Place("Podcast Index", LISTEN, ("podcastindex.org",)),
    Place("AntennaPod", LISTEN, ("antennapod.org",)),
    Place("Castbox", LISTEN, ("castbox.fm",)),
    Place("Deezer", LISTEN, ("deezer.com",)),
    Place("iHeartRadio", LISTEN, ("iheart.com",)),
    Place("iVoox", LISTEN, ("ivoox.com",)),
    Place("Podchaser", LISTEN, ("podchaser.com",)),
    Place("SoundCloud", LISTEN, ("soundcloud.com",)),
    Place("TuneIn", LISTEN, ("tunein.com",)),
    Place("Odysee", VIDEO, ("odysee.com",)),
    Place("Rumble", VIDEO, ("rumble.com",)),
    Place("BitChute", VIDEO, ("bitchute.com",)),
    Place("Vimeo", VIDEO, ("vimeo.com",)),
    Place("Twitch", VIDEO, ("twitch.tv",)),
    Place("TikTok", VIDEO, ("tiktok.com",)),
    Place("Telegram", TALK, ("t.me", "telegram.me", "telegram.org")),
    Place("X", TALK, ("x.com", "twitter.com")),
    Place("Mastodon", TALK, ("mastodon.social", "mastodon.online", "mstdn.social")),
    Place("Bluesky", TALK, ("bsky.app", "bsky.social")),
    Place("LinkedIn", TALK, ("linkedin.com",)),
    Place("Facebook", TALK, ("facebook.com", "fb.com", "fb.me")),
    Place("Instagram", TALK, ("instagram.com",)),
    Place("VK", TALK, ("vk.com", "vk.ru")),
    Place("Gab", TALK, ("gab.com",)),
    Place("MeWe", TALK, ("mewe.com",)),
    Place("Minds", TALK, ("minds.com",)),
    Place("Threads", TALK, ("threads.net", "threads.com")),
    Place("WhatsApp", TALK, ("whatsapp.com", "wa.me")),
    Place("Discord", TALK, ("discord.gg", "discord.com")),
    Place("Patreon", SUPPORT, ("patreon.com",)),
    Place("Ko-fi", SUPPORT, ("ko-fi.com",)),
    Place("Liberapay", SUPPORT, ("liberapay.com",)),
    Place("PayPal", SUPPORT, ("paypal.com", "paypal.me")),
    Place("Buy Me a Coffee", SUPPORT, ("buymeacoffee.com",)),
)
# What is offered to somebody who types a name; a feed has no host of its own.
_RSS = "RSS"
NAMES: tuple[str, ...] = (*(place.name for place in PLACES), _RSS)
_BY_HOST = {host: place for place in PLACES for host in place.hosts}
_BY_NAME = {place.name.casefold(): place for place in PLACES}
_FEED_ENDINGS = (".xml", ".rss", "/rss", "/feed")


def place_name(url: str) -> str:
    """How a link is called whose owner did not say: as its place, as a feed, or as its host."""
    place = _by_host(url)
    if place is None:
        return _RSS if _is_feed(url) else _host(url)
    return place.name


def link_kind(name: str, url: str) -> str:
    """One of ICONS: of the place that the address leads to, or that the name names."""
    place = _by_host(url) or _BY_NAME.get(name.casefold())
    if place is not None:
        return place.kind
    return FEED if name.casefold() == _RSS.casefold() or _is_feed(url) else WEB


def _is_feed(url: str) -> bool:
    return urlsplit(url).path.lower().endswith(_FEED_ENDINGS)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _by_host(url: str) -> Place | None:
    labels = _host(url).split(".")
    hosts = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    return next((_BY_HOST[host] for host in hosts if host in _BY_HOST), None)
