"""The feed doctor's rules for shows and episodes, and all rules in one table; words only."""

from podhost.formats.doctor_rules import DOCUMENT_RULES, SHARED_RULES, Rule

_SHOW = {
    "title-missing": Rule(
        "error", "RSS 2.0", "The show has no title.", "Give it one: plain text, no keywords."
    ),
    "link-missing": Rule(
        "warning", "PSP-1", "The show has no link.", "Name its web page in <link>."
    ),
    "description-missing": Rule(
        "error", "Apple", "The show has no description.", "Say in a few sentences what it is about."
    ),
    "language-missing": Rule(
        "error", "Apple", "The feed does not name its language.", "Add <language>en</language>."
    ),
    "language-unknown": Rule(
        "error",
        "Apple",
        "Apple knows no language “{}”.",
        "Use a code of ISO 639, such as en, en-us or pt-br.",
    ),
    "image-missing": Rule(
        "error",
        "Apple",
        "The show has no artwork (itunes:image).",
        'Add <itunes:image href="..."/>: square, 1400 to 3000 pixels, JPEG or PNG.',
    ),
    "category-missing": Rule(
        "error",
        "Apple",
        "The show has no category.",
        "Choose one of Apple's categories.",
    ),
    "category-unknown": Rule(
        "warning",
        "Apple",
        "Apple knows no category “{}”.{}",
        "Write the name exactly as Apple has it; case matters.",
    ),
    "categories-none-known": Rule(
        "error",
        "Apple",
        "None of the show's categories is one of Apple's: {}.",
        "Choose one of Apple's categories.",
    ),
    "categories-many": Rule(
        "hint", "Apple", "The show has {} categories; Apple uses the first.", "Keep three at most."
    ),
    "explicit-missing": Rule(
        "error",
        "Apple",
        "The show does not say whether it is explicit.",
        "Add <itunes:explicit>false</itunes:explicit>, or true.",
    ),
    "author-missing": Rule(
        "warning",
        "Spotify",
        "The show does not say who makes it (itunes:author).",
        "Add a name; Spotify wants one.",
    ),
    "type-invalid": Rule(
        "warning",
        "Apple",
        "itunes:type is “{}”.",
        "Write episodic or serial, in lower case.",
    ),
    "owner-missing": Rule(
        "hint",
        "Spotify",
        "There is no address of the owner (itunes:owner); some directories write to it to "
        "see that the show is yours.",
        "Name one while you submit the show; it is public while it is there.",
    ),
    "owner-invalid": Rule(
        "warning",
        "W3C validator",
        "The owner's address is no mail address: “{}”.",
        "Write it like ann@example.org.",
    ),
    "contact-form": Rule(
        "hint",
        "W3C validator",
        "<{}> should read like “ann@example.org (Ann)”: “{}”.",
        "Correct it or leave it out; leaving it out keeps spam away.",
    ),
    "moved": Rule(
        "hint",
        "Apple",
        "The feed says that the show has moved to {} (itunes:new-feed-url).",
        "Right after a move. Otherwise take it out at once: Apple follows it.",
    ),
    "hidden": Rule(
        "hint",
        "Apple",
        "itunes:block is Yes: Apple and others do not list this.",
        "Right for a private show. Otherwise take it out.",
    ),
    "ended": Rule(
        "hint",
        "Apple",
        "itunes:complete is Yes: no directory looks for new episodes.",
        "Right for a show that has ended. Otherwise take it out.",
    ),
    "complete-invalid": Rule(
        "hint",
        "Apple",
        "itunes:complete is “{}”, which has no effect.",
        "Only Yes ends a show; otherwise leave the tag out.",
    ),
    "ttl-invalid": Rule(
        "warning", "RSS 2.0", "<ttl> is “{}”.", "Write a whole number of minutes, such as 60."
    ),
    "rss-image": Rule(
        "warning", "RSS 2.0", "The <image> has no {}.", "Give it url, title and link."
    ),
    "rss-image-differs": Rule(
        "warning",
        "W3C validator",
        "The {} of <image> is not the show's.",
        "Copy it exactly from the show.",
    ),
    "rss-image-size": Rule(
        "warning",
        "RSS 2.0",
        "The <image> has a {} of “{}”.",
        "At most 144 wide and 400 high; best leave both out.",
    ),
    "self-missing": Rule(
        "warning",
        "PSP-1",
        "The feed does not name its own address.",
        'Add <atom:link rel="self" type="application/rss+xml" href="..."/>.',
    ),
    "self-several": Rule(
        "warning",
        "PSP-1",
        "The feed names more than one address as its own.",
        "Keep the one that you gave to directories.",
    ),
    "self-type": Rule(
        "hint",
        "PSP-1",
        "The link to itself has the type “{}”.",
        "Write application/rss+xml.",
    ),
    "generator-missing": Rule(
        "hint",
        "Apple",
        "The feed does not say which program wrote it.",
        "Add <generator>; directories know hosts by it.",
    ),
    "copyright-form": Rule(
        "hint",
        "PSP-1",
        "The copyright should be the holder's name alone: “{}”.",
        "Leave out © and the year.",
    ),
    "spotify-limit": Rule(
        "warning", "Spotify", "spotify:limit is “{}”.", "recentCount wants a whole number."
    ),
    "spotify-country": Rule(
        "warning",
        "Spotify",
        "spotify:countryOfOrigin is “{}”.",
        "Write codes of two letters with spaces between, such as se no.",
    ),
    "feed-guid-missing": Rule(
        "hint",
        "PSP-1",
        "The show has no podcast:guid, by which it is known after a move.",
        "Add one; hosts compute it from the first address of the feed.",
    ),
    "locked-missing": Rule(
        "hint",
        "PSP-1",
        "The feed does not say whether other hosts may import it (podcast:locked).",
        "Add <podcast:locked>yes</podcast:locked>.",
    ),
    "locked-owner-public": Rule(
        "hint",
        "podcast namespace",
        "Everybody can read the owner's address in podcast:locked: “{}”. It attracts spam.",
        "Leave the owner out, unless the host that you move to asks for it.",
    ),
}
_EPISODE = {
    "episode-title-missing": Rule("error", "Apple", "The episode has no title.", "Give it one."),
    "episode-title-number": Rule(
        "hint",
        "Apple",
        "The title begins with the episode's number: “{}”.",
        "Put the number into itunes:episode; Apple prints it beside the title.",
    ),
    "enclosure-missing": Rule(
        "error",
        "Apple",
        "The episode has no audio (no enclosure); Apple and Podcast Index leave it out.",
        "Give it an enclosure, or take it out of the feed.",
    ),
    "enclosure-several": Rule(
        "warning",
        "PSP-1",
        "The episode has {} enclosures; apps play one of them, and not all the same.",
        "Keep one; other encodings belong into podcast:alternateEnclosure.",
    ),
    "enclosure-url-missing": Rule(
        "error",
        "Apple",
        "The enclosure has no address.",
        "Write the address of the audio file into url.",
    ),
    "enclosure-url-invalid": Rule(
        "error",
        "Apple",
        "The enclosure's address is not a whole one: “{}”.",
        "Write it from https:// on.",
    ),
    "enclosure-twice": Rule(
        "error",
        "Apple",
        "Another episode has the same audio file: {}. Apple leaves out the second.",
        "Give each episode its own file.",
    ),
    "enclosure-extension": Rule(
        "error",
        "Apple",
        "The audio file's name does not end as Apple wants: {}",
        "Use MP3 (.mp3) or AAC (.m4a); video is .mp4, .m4v or .mov.",
    ),
    "enclosure-type-missing": Rule(
        "error",
        "RSS 2.0",
        "The enclosure does not say what type it is.",
        'Add type="audio/mpeg" for MP3, audio/x-m4a for M4A.',
    ),
    "enclosure-type-invalid": Rule(
        "warning",
        "W3C validator",
        "The enclosure's type is “{}”.",
        "Write audio/mpeg for MP3, audio/x-m4a for M4A.",
    ),
    "enclosure-type-differs": Rule(
        "warning",
        "Apple",
        "The enclosure's type and the end of its name do not fit: {}.",
        "Write audio/mpeg for .mp3, audio/x-m4a for .m4a.",
    ),
    "enclosure-length-missing": Rule(
        "warning",
        "RSS 2.0",
        "The enclosure does not say how large the file is.",
        "Write its size in bytes into length.",
    ),
    "enclosure-length-invalid": Rule(
        "warning",
        "W3C validator",
        "The enclosure's length is “{}”.",
        "Write the file's size in bytes: a whole number, 0 when it is not known.",
    ),
    "enclosure-length-unknown": Rule(
        "hint",
        "RSS 2.0",
        "The enclosure's length is 0, so apps cannot show how large the download is.",
        "Write the file's size in bytes.",
    ),
    "enclosure-length-duration": Rule(
        "warning",
        "RSS 2.0",
        "The enclosure's length is the episode's duration: {}.",
        "length is the file's size in bytes; the duration belongs into itunes:duration.",
    ),
    "guid-missing": Rule(
        "error",
        "Apple",
        "The episode has no guid, so apps cannot tell it from a new one when anything changes.",
        'Add <guid isPermaLink="false">, and never change it again.',
    ),
    "guid-twice": Rule(
        "error",
        "Apple",
        "Another episode has the same guid “{}”; Apple leaves out the second.",
        "Give the newer one a guid of its own.",
    ),
    "guid-permalink": Rule(
        "warning",
        "RSS 2.0",
        "The guid “{}” says that it is an address, and is none.",
        'Add isPermaLink="false"; the guid itself must stay as it is.',
    ),
    "guid-digits": Rule(
        "hint",
        "Podcast Index",
        "The guid is a number: {}. Podcast Index may change it.",
        "Keep it for this episode; give new ones a UUID.",
    ),
    "guid-long": Rule(
        "warning",
        "Apple",
        "The guid has {} characters; Apple takes 255.",
        "Keep it for this episode; give new ones a UUID.",
    ),
    "guid-spaces": Rule(
        "warning",
        "RSS 2.0",
        "There are spaces around the guid; some apps take them for a part of it.",
        "Take care: with apps that count them, taking them away makes a new episode.",
    ),
    "date-missing": Rule(
        "warning",
        "Apple",
        "The episode has no date, so apps cannot sort it.",
        "Add <pubDate>.",
    ),
    "date-twice": Rule(
        "hint",
        "Apple",
        "Another episode has the same date to the second: {}. Apps sort them by chance.",
        "Let a second lie between them.",
    ),
    "notes-missing": Rule(
        "warning",
        "Spotify",
        "The episode has no description.",
        "Write what it is about; Spotify wants it.",
    ),
    "notes-order": Rule(
        "hint",
        "W3C validator",
        "The description comes after content:encoded; some apps then show the wrong one.",
        "Put the description first.",
    ),
    "author-form": Rule(
        "hint",
        "RSS 2.0",
        "<author> is a mail address in RSS, not a name: “{}”.",
        "Use itunes:author.",
    ),
    "duration-missing": Rule(
        "hint", "Apple", "The episode does not say how long it is.", "Add itunes:duration."
    ),
    "duration-invalid": Rule(
        "warning",
        "Apple",
        "itunes:duration is “{}”.",
        "Write whole seconds, such as 1801.",
    ),
    "number-invalid": Rule(
        "warning",
        "Apple",
        "<{}> is “{}”.",
        "Write a whole number from 1 on.",
    ),
    "number-missing": Rule(
        "warning",
        "Apple",
        "The show is serial, and this episode has no number.",
        "Add itunes:episode, or Apple cannot put a serial in order.",
    ),
    "number-twice": Rule(
        "hint",
        "Apple",
        "Another full episode of the season has the same number {}.",
        "Give each its own.",
    ),
    "episode-type-invalid": Rule(
        "warning",
        "Apple",
        "itunes:episodeType is “{}”.",
        "Write full, trailer or bonus, in lower case.",
    ),
    "persons-replaced": Rule(
        "hint",
        "podcast namespace",
        "The episode names people, and so none of the show's hosts.",
        "Name the hosts with the episode too: its people replace the show's.",
    ),
    "soundbite-outside": Rule(
        "warning",
        "podcast namespace",
        "A soundbite ends after the episode does: {}.",
        "Correct startTime or duration.",
    ),
    "soundbite-length": Rule(
        "hint",
        "podcast namespace",
        "A soundbite has {} seconds.",
        "15 to 120 seconds are advised.",
    ),
    "chapters-inline": Rule(
        "warning",
        "Podlove",
        "The chapters inside the feed are wrong: {}.",
        "Every chapter wants a start and a title, in order, and inside the episode.",
    ),
}

RULES: dict[str, Rule] = {**DOCUMENT_RULES, **SHARED_RULES, **_SHOW, **_EPISODE}
