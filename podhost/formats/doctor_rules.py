"""What a rule of the feed doctor is, and the rules for the document and for what shows and episodes
share; it looks at nothing.

`{}` in a message stands for what was found.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in a podcaster's words.

    `rule` is a stable id; `place` says where, several episodes at once when they share it;
    `source` who says so.
    """

    severity: Severity
    rule: str
    place: str
    message: str
    fix: str
    source: str


class Rule(NamedTuple):
    """A rule: `error` is what Apple or another big directory rejects or drops, `warning` what
    costs listeners or breaks a standard, `hint` what could be better."""

    severity: Severity
    source: str
    message: str
    fix: str


DOCUMENT_RULES: dict[str, Rule] = {
    "xml-broken": Rule(
        "error",
        "RSS 2.0",
        "The feed is not well-formed XML: {}.",
        "Directories drop a feed that they cannot read. Let your host's program write the feed; "
        "do not edit it by hand.",
    ),
    "xml-declaration": Rule(
        "hint",
        "W3C validator",
        "The feed does not begin with an XML declaration.",
        'Let it begin with <?xml version="1.0" encoding="UTF-8"?>.',
    ),
    "xml-space-before": Rule(
        "error",
        "W3C validator",
        "There are blank lines or other characters before the XML declaration.",
        "The declaration must be the very first thing in the file.",
    ),
    "xml-bom": Rule(
        "hint",
        "W3C validator",
        "The feed begins with a byte order mark, which some apps stumble over.",
        "Save it as UTF-8 without a byte order mark (BOM).",
    ),
    "xml-not-utf8": Rule(
        "warning", "Apple", "The feed is not in UTF-8 but in {}.", "Apple asks for UTF-8."
    ),
    "xml-comment-at-end": Rule(
        "hint",
        "Apple",
        "There is a comment after the end of the feed.",
        "Leave it out; some hosts saw trouble at Apple with it.",
    ),
    "root-not-rss": Rule(
        "error",
        "Apple",
        "This is no RSS feed: it begins with <{}>.",
        "Apple takes only RSS 2.0, and no Atom feeds since 2023.",
    ),
    "rss-version": Rule(
        "warning",
        "RSS 2.0",
        "The feed does not say that it is RSS 2.0 (it says “{}”); some apps refuse it.",
        'Let it begin with <rss version="2.0">.',
    ),
    "channel-missing": Rule(
        "error", "RSS 2.0", "The feed has no <channel>.", "Put the show into one <channel>."
    ),
    "channel-several": Rule(
        "error",
        "RSS 2.0",
        "The feed has more than one <channel>; apps read the first.",
        "Make one feed for each show.",
    ),
    "namespace-itunes": Rule(
        "error",
        "Apple",
        "The feed does not declare the itunes namespace, so Apple ignores everything in it.",
        'Declare xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" on <rss>.',
    ),
    "namespace-misspelled": Rule(
        "error",
        "Apple",
        "A namespace is misspelled: {} should be {}. Apps ignore every tag in it.",
        "Namespaces are compared letter by letter; copy the address exactly.",
    ),
    "namespace-prefix": Rule(
        "warning",
        "podcast namespace",
        "A namespace has an unusual prefix: {}. Podcast Index and others do not see its tags.",
        "Use the customary prefixes: itunes, podcast, atom, content.",
    ),
    "namespace-inner": Rule(
        "hint",
        "W3C validator",
        "A namespace is declared inside of the feed, at <{}>.",
        "Declare all namespaces once, on <rss>.",
    ),
    "feed-large": Rule(
        "warning",
        "Pocket Casts",
        "The feed has {} MB; apps on small devices and some services give up on so much.",
        "Keep the full notes of the newest episodes only, or name fewer episodes.",
    ),
    "feed-too-large": Rule(
        "error",
        "Pocket Casts",
        "The feed has {} MB; Pocket Casts was seen refusing 3 MB.",
        "Keep the full notes of the newest episodes only, or name fewer episodes.",
    ),
    "episodes-too-many": Rule(
        "warning",
        "Apple",
        "The feed has {} episodes; Apple shows the newest 2,000.",
        "Older ones stay reachable in apps that read the whole feed. Nothing else helps.",
    ),
    "episodes-none": Rule(
        "warning",
        "Apple",
        "The feed has no episode yet.",
        "Apple and Spotify take a show from its first episode on; a trailer will do.",
    ),
    "episodes-order": Rule(
        "hint",
        "RSS 2.0",
        "The episodes are not in order, newest first; some apps stop reading early.",
        "Put the newest episode first.",
    ),
    "tags-after-items": Rule(
        "hint",
        "RSS 2.0",
        "<{}> comes after the first episode; some apps stop reading there.",
        "Put what is about the show before the episodes.",
    ),
    "list-with-items": Rule(
        "warning",
        "podcast namespace",
        "The medium is “{}”, a list, and yet there are episodes.",
        "A list has only remote items; choose the medium without the L at its end.",
    ),
    "paging-and-complete": Rule(
        "warning",
        "RFC 5005",
        "The feed says that it is complete (fh:complete) and that it has more pages.",
        "Say one of the two.",
    ),
    "paging-older": Rule(
        "hint",
        "Apple",
        "The feed has older pages; Apple, Spotify and most apps read this one only.",
        "Have all episodes in one document, unless it is too large for apps.",
    ),
    "paging-prev": Rule(
        "hint", "RFC 5005", 'A link has rel="prev".', 'RFC 5005 spells it "previous".'
    ),
}
SHARED_RULES: dict[str, Rule] = {
    "tag-twice": Rule(
        "warning", "RSS 2.0", "There is more than one <{}>.", "Leave one; apps take either."
    ),
    "text-html": Rule(
        "warning",
        "W3C validator",
        "There is HTML in the {}, which apps print letter by letter: “{}”.",
        "Write plain text.",
    ),
    "text-escaped-twice": Rule(
        "warning",
        "W3C validator",
        "The {} is escaped twice and shows signs like &amp;: “{}”.",
        "Escape it once.",
    ),
    "text-long": Rule(
        "warning",
        "Apple",
        "The {} has {} characters; Apple takes 255.",
        "Make it shorter.",
    ),
    "text-spaces": Rule("hint", "Apple", "There are spaces around the {}.", "Take them away."),
    "description-long": Rule(
        "warning",
        "Apple",
        "The {} has {} bytes; Apple takes 4,000, with markup.",
        "Make it shorter. The whole notes may stand in content:encoded.",
    ),
    "url-invalid": Rule(
        "warning",
        "RSS 2.0",
        "The address in {} is not a whole one: “{}”.",
        "Write it from https:// on.",
    ),
    "url-http": Rule("hint", "Apple", "The address in {} is not encrypted: {}", "Use https://."),
    "url-letters": Rule(
        "warning",
        "Apple",
        "The address in {} has signs that do not belong there: “{}”.",
        "Apple wants addresses of ASCII letters and digits; encode the rest with %.",
    ),
    "date-invalid": Rule(
        "warning",
        "RSS 2.0",
        "The date in {} cannot be read: “{}”.",
        "Write it like Tue, 05 Mar 2024 09:05:00 GMT (RFC 822).",
    ),
    "date-form": Rule(
        "hint",
        "W3C validator",
        "The date in {} has an unusual form: “{}”.",
        "Write it like Tue, 05 Mar 2024 09:05:00 GMT.",
    ),
    "date-weekday": Rule(
        "warning",
        "W3C validator",
        "The day of the week in {} is wrong: “{}”.",
        "Correct it; some apps then refuse the date.",
    ),
    "date-year": Rule(
        "warning",
        "W3C validator",
        "The year in {} cannot be: “{}”.",
        "Correct it; apps sort episodes by their dates.",
    ),
    "date-future": Rule(
        "warning",
        "Apple",
        "The date in {} is in the future: “{}”. Some apps hide the episode, some do not.",
        "Put an episode into the feed when its time has come.",
    ),
    "explicit-invalid": Rule(
        "error",
        "Apple",
        "itunes:explicit is “{}”.",
        "Apple takes true or false.",
    ),
    "explicit-old": Rule(
        "warning",
        "Apple",
        "itunes:explicit is “{}”, as it was written years ago.",
        "Write true or false.",
    ),
    "image-extension": Rule(
        "warning",
        "Apple",
        "The artwork's address does not end in .jpg or .png: {}",
        "Apple takes JPEG and PNG files, and looks at the name.",
    ),
    "block-invalid": Rule(
        "hint",
        "Apple",
        "itunes:block is “{}”, which has no effect.",
        "Only Yes hides; otherwise leave the tag out.",
    ),
    "tag-obsolete": Rule("hint", "Apple", "<{}> is of no use any more.", "Leave it out."),
    "dc-twice": Rule(
        "warning",
        "W3C validator",
        "<{}> says again what another tag says already.",
        "Leave it out.",
    ),
    "scripts": Rule(
        "warning",
        "W3C validator",
        "There is <{}> in the notes, which is not safe in web players.",
        "Use paragraphs, lists and links only.",
    ),
    "notes-relative": Rule(
        "warning",
        "W3C validator",
        "The notes have a link or a picture without a whole address: “{}”.",
        "In apps it leads nowhere. Write it from https:// on.",
    ),
    "media-restriction": Rule(
        "warning",
        "Media RSS",
        "media:restriction is not understood: {}.",
        'It wants type="country", relationship="allow" or "deny", and codes such as “de at”.',
    ),
}
