"""Which addresses are only a measurement in front of the audio; it never fetches anything.

Audio is imported from the innermost address, or an import would count as downloads at services of
others. The list is of services seen in public feeds until November 2026.
"""

import re

# ID is one segment of the path. The longer of two that fit is the one meant.
_PREFIXES = """
    op3.dev/e                               op3.dev/e,ID
    dts.podtrac.com/redirect.mp3            dts.podtrac.com/redirect.m4a
    dts.podtrac.com/redirect.mp4            www.podtrac.com/pts/redirect.mp3
    www.podtrac.com/pts/redirect.m4a        www.podtrac.com/pts/redirect.mp4
    pdst.fm/e                               chrt.fm/track/ID
    chtbl.com/track/ID                      podcast-rss-prefix.spotify.com/track
    prfx.byspotify.com/e                    verifi.podscribe.com/rss/p
    pscrb.fm/rss/p                          arttrk.com/p/ID
    pdcn.co/e                               2.gum.fm
    s.gum.fm/s-ID                           claritaspod.com/measure
    clrtpod.com/m                           growx.podkite.com/https/ID
    media.blubrry.com/ID                    mgln.ai/track
    mgln.ai/e/ID                            p.podderapp.com/ID
    r.zen.ai/r                              t.glystn.com/v2/track/ID
    adbarker.com/stream/ID                  letscast.fm/track
    pfx.vpixl.com/ID                        bktrks.co/t/ID
    pdrl.fm/ID                              a.pdcst.to/ID
    cohst.app/pdcst/ID                      swap.fm/track/ID
    pdcds.co/ID                             prefix.up.audio/s
    m.pfxes.com/ID                          enrichment.soundstack.com/ID
    track.fstry.me/p/ID                     tr.ausha.co/ID
"""
# More than anybody measures with; an address that goes on is a trap.
_MAX_PREFIXES = 20
_SEGMENT = "[^/?#\\s]+"
_SORTED = sorted(_PREFIXES.split(), key=lambda prefix: -len(prefix))
_PREFIX = re.compile(
    r"(?:https?://?)?(?P<prefix>"
    + "|".join(re.escape(prefix).replace("ID", _SEGMENT) for prefix in _SORTED)
    + ")/",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?P<scheme>https?):/{1,2}(?!/)", re.IGNORECASE)
_HOST = re.compile(
    r"(?:https?:/{1,2})?(?P<host>[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?)+)(?::[0-9]{1,5})?/",
    re.IGNORECASE,
)
# Names of files look like hosts when a slash follows; their last part tells.
_FILE_ENDINGS = frozenset({"mp3", "m4a", "m4b", "mp4", "aac", "ogg", "opus", "wav", "flac"})


def innermost_url(url: str) -> tuple[str, tuple[str, ...]]:
    """Give the address of the audio itself, and the measurement prefixes in front, outermost first.

    An address without any is given back as it is. Prefixes come as "op3.dev/e", without a scheme
    and a slash at the end. Never raises.
    """
    removed: list[str] = []
    rest = url
    while len(removed) < _MAX_PREFIXES:
        match = _PREFIX.match(rest)
        if match is None or not _begins_with_host(rest[match.end() :]):
            break
        removed.append(match["prefix"])
        rest = rest[match.end() :]
    return (_with_scheme(rest), tuple(removed)) if removed else (url, ())


def _begins_with_host(rest: str) -> bool:
    match = _HOST.match(rest)
    return match is not None and match["host"].rpartition(".")[2].lower() not in _FILE_ENDINGS


def _with_scheme(rest: str) -> str:
    match = _SCHEME.match(rest)
    if match is None:
        return f"https://{rest}"
    return f"{match['scheme'].lower()}://{rest[match.end() :]}"
