"""Links by which readers, and programs, tell others of a page; it loads nothing of the networks."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from podhost.translations import Words
from podhost.web.site.looks import Look

# The addresses with which each begins a message. "" is a letter, in any program for mail. What
# stands behind the # stays in the browser, where the reader tells Mastodon which server.
_NETWORKS = {
    "": "mailto:?subject={title}&body={url}",
    "WhatsApp": "https://wa.me/?text={title}%20{url}",
    "Telegram": "https://t.me/share/url?url={url}&text={title}",
    "Mastodon": "https://share.joinmastodon.org/#text={title}%20{url}",
    "Bluesky": "https://bsky.app/intent/compose?text={title}%20{url}",
    "X": "https://x.com/intent/post?url={url}&text={title}",
    "LinkedIn": "https://www.linkedin.com/sharing/share-offsite/?url={url}",
    "Facebook": "https://www.facebook.com/sharer/sharer.php?u={url}",
}


class ShareLink(NamedTuple):
    """Where others are told of a page; `pattern` is the address with `{url}` where that stands."""

    name: str
    url: str
    pattern: str
    is_page: bool


def share_links(words: Words, url: str, title: str) -> list[ShareLink]:
    """The ways to tell others of the page at `url`, a whole address."""
    address, named = quote(url, safe=""), quote(title, safe="")
    links = []
    for name, text in _NETWORKS.items():
        pattern = text.replace("{title}", named)
        filled = pattern.replace("{url}", address)
        links.append(ShareLink(name or words("E-mail"), filled, pattern, bool(name)))
    return links


def discovery_links(look: Look, path: str, title: str) -> list[Mapping[str, str]]:
    """By which programs that read the page at `path` find how to embed it (oembed.com, 4)."""
    return [
        {
            "rel": "alternate",
            "type": f"{kind}+oembed",
            "href": f"{look.base_url}/oembed?{urlencode({'url': look.url(path), 'format': name})}",
            "title": title,
        }
        for name, kind in (("json", "application/json"), ("xml", "text/xml"))
    ]
