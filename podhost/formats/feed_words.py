"""Words and limits of feeds that more than one module judges by; it judges nothing itself."""

import re
from typing import Literal, get_args

# URIs and prefixes are both fixed: some parsers look for the literal prefix.
NAMESPACES = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "psc": "http://podlove.org/simple-chapters",
    "spotify": "http://www.spotify.com/ns/rss",
    "media": "http://search.yahoo.com/mrss/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "googleplay": "http://www.google.com/schemas/play-podcasts/1.0",
}
# Those that every podcast feed needs.
USUAL_NAMESPACES = {name: NAMESPACES[name] for name in ("itunes", "podcast", "atom", "content")}
# Declared in feeds that use them only.
RARE_NAMESPACES = {name: NAMESPACES[name] for name in ("psc", "spotify", "media")}

# Apple's words.
ShowType = Literal["episodic", "serial"]
EpisodeType = Literal["full", "trailer", "bonus"]
SHOW_TYPES: tuple[str, ...] = get_args(ShowType)
EPISODE_TYPES: tuple[str, ...] = get_args(EpisodeType)

# A media type without parameters, in lower case (RFC 6838 4.2).
MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+\-]*", re.ASCII)

# No feed of somebody else is read beyond it; the largest known ones have 20 MB.
MAX_FEED_BYTES = 50_000_000
