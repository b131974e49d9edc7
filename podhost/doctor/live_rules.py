"""The feed doctor's rules for what servers answer: words only, like those for what feeds say."""

from podhost.formats.doctor_rules import Rule

_HEAD_FIX = "Let the server answer HEAD as it answers GET; Apple asks so."

LIVE_RULES: dict[str, Rule] = {
    "feed-unreachable": Rule(
        "error",
        "Apple",
        "The feed cannot be read: {}",
        "Look at it from another network; directories drop what stays away.",
    ),
    "feed-no-feed": Rule(
        "error",
        "RSS 2.0",
        "Directories cannot read it. {}",
        "Give the address of the RSS feed itself.",
    ),
    "feed-status": Rule(
        "error",
        "Apple",
        "The feed's address answers {} instead of 200.",
        "See with your host that the address is right.",
    ),
    "feed-head": Rule("error", "Apple", "The feed's address answers HEAD with {}.", _HEAD_FIX),
    "feed-type": Rule(
        "warning",
        "W3C validator",
        "The feed is sent as “{}”.",
        "Send it as application/rss+xml; charset=utf-8.",
    ),
    "feed-validators": Rule(
        "warning",
        "Apple",
        "The server sends neither ETag nor Last-Modified with the feed.",
        "With them, directories look more often, because looking costs nothing.",
    ),
    "feed-not-304": Rule(
        "warning",
        "Apple",
        "Asked whether the feed has changed, the server answers {} instead of 304.",
        "Let it answer If-None-Match and If-Modified-Since (RFC 9110).",
    ),
    "feed-gzip": Rule(
        "hint",
        "RFC 9110",
        "The feed is sent without compression.",
        "With gzip it takes a fifth of the bytes.",
    ),
    "feed-http": Rule(
        "warning", "PSP-1", "The feed's address is not encrypted.", "Serve it under https://."
    ),
    "feed-redirects": Rule(
        "warning",
        "Podcast Index",
        "It takes {} redirects to come to the feed.",
        "Let the old address lead directly to the final one.",
    ),
    "feed-moved": Rule(
        "hint",
        "Apple",
        "The feed's address leads on for good ({}) to {}",
        "Right after a move. Give the new address to directories.",
    ),
    "feed-moved-for-now": Rule(
        "hint",
        "Podcast Index",
        "The feed's address leads on for the moment only ({}) to {}",
        "If it has moved for good, answer 301; directories then learn the new address.",
    ),
    "feed-self": Rule(
        "warning",
        "PSP-1",
        "The feed says that its address is {}, and it was found elsewhere.",
        "The link rel=self must be the address that you gave to directories, letter by letter.",
    ),
    "audio-unreachable": Rule(
        "error",
        "Apple",
        "The audio cannot be read: {}",
        "See that the file is there, for everybody.",
    ),
    "audio-status": Rule(
        "error",
        "Apple",
        "The audio's address answers HEAD with {} instead of 200.",
        "See that the file is there, for everybody. " + _HEAD_FIX,
    ),
    "audio-html": Rule(
        "error",
        "Apple",
        "Instead of audio, a web page is sent.",
        "Name the address of the file, not of a page about it.",
    ),
    "audio-type": Rule(
        "warning",
        "Apple",
        "The audio is sent as “{}”.",
        "Send audio/mpeg for MP3, audio/x-m4a or audio/mp4 for M4A.",
    ),
    "audio-length": Rule(
        "warning",
        "RSS 2.0",
        "The feed gives the audio's size wrongly: {}.",
        "length must be what the server sends; downloads may break off otherwise.",
    ),
    "audio-range": Rule(
        "error",
        "Apple",
        "The server does not send parts of the audio. Asked for two bytes: {}.",
        "Let it answer byte ranges with 206 (RFC 9110 14.2); Apple requires them.",
    ),
    "audio-redirects": Rule(
        "warning",
        "Apple",
        "It takes {} redirects to come to the audio.",
        "Five at most, best one or none; every tracking service in between adds one.",
    ),
    "artwork-unreachable": Rule(
        "error",
        "Apple",
        "The artwork cannot be read: {}",
        "See that the picture is there, for everybody.",
    ),
    "artwork-head": Rule("warning", "Apple", "The artwork answers HEAD with {}.", _HEAD_FIX),
    "artwork-invalid": Rule(
        "error",
        "Apple",
        "The artwork is no picture that apps can show: {}",
        "Export it as JPEG or PNG, 3000 by 3000 pixels.",
    ),
    "artwork-format": Rule(
        "error",
        "Apple",
        "The artwork is {}.",
        "Export it as JPEG or PNG, 3000 by 3000 pixels.",
    ),
    "artwork-extension": Rule(
        "warning",
        "Apple",
        "The artwork's name does not fit what it is: {}",
        "Name a JPEG .jpg and a PNG .png.",
    ),
    "artwork-square": Rule(
        "error",
        "Apple",
        "The artwork is not square: {} pixels.",
        "Crop it, best to 3000 by 3000.",
    ),
    "artwork-size": Rule(
        "error",
        "Apple",
        "The artwork has {} pixels.",
        "Apple takes 1400 by 1400 to 3000 by 3000.",
    ),
    "artwork-colours": Rule(
        "warning",
        "Apple",
        "The artwork's colours are kept as {}.",
        "Export it in RGB; CMYK is for print.",
    ),
    "artwork-alpha": Rule(
        "warning",
        "Apple",
        "The artwork has transparent parts (an alpha channel).",
        "Export it without transparency.",
    ),
    "artwork-heavy": Rule(
        "hint",
        "Apple",
        "The artwork takes {} KB; several services want 512 at most.",
        "Compress it more strongly.",
    ),
}
