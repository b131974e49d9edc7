"""The notes of a foreign episode: which of its texts they are, cleaned, apart from what hosts add.

Nothing is thrown away silently: what is taken off is given back beside the notes.
"""

import re
from dataclasses import dataclass

from podhost.formats.markdown import MAX_NOTES_BYTES, clean_html, truncate_html
from podhost.formats.text import plain_line

# Four times of what is kept: what is longer costs only time.
_MAX_FOREIGN_CHARS = 4 * MAX_NOTES_BYTES
_TAGS = re.compile(
    r"</?(?:p|br|a|ul|ol|li|div|span|b|i|u|em|strong|h[1-6]|img|blockquote|pre|code|table|tr|td|hr"
    r"|figure|section|article|font|center|iframe|script|style)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"<img\b[^<>]*>", re.IGNORECASE)
_IS_TRACKING = re.compile(
    r"(?:width|height)\s*[=:]\s*[\"']?\s*[01](?:px)?\s*[\"';\s/>]"
    r"|src\s*=\s*[\"']?(?:https?:)?//(?:feeds\.feedburner\.com/~|pixel\.|stats\.wordpress\.com)",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"(?:this (?:podcast|episode) (?:is|was) )?hosted on .{1,80}"
    r"|hosted by (?:simplecast|zencast|redcircle|acast|podigee)\b.{0,80}"
    r"|learn more about your ad choices.*"
    r"|.*\b(?:podcastchoices|megaphone\.fm)(?:\.com)?/adchoices.*"
    r"|see (?:acast\.com/privacy|omnystudio\.com/listener|https?://omnystudio\.com/listener).*"
    r"|see (?:the )?privacy policy at https?://art19\.com.*"
    r"|advertising inquiries: ?https?://redcircle\.com.*"
    r"|privacy & opt-out: ?https?://redcircle\.com.*"
    r"|(?:powered|made) (?:by|with) (?:firstory|podigee|spreaker|letscast|ausha|riverside)\b.{0,80}"
    r"|send in a voice message: ?https?://.*|privacy policy at https?://art19\.com.*",
    re.IGNORECASE,
)
_BOILERPLATE_CHARS = 1_000
_LINES_LOOKED_AT = 12


@dataclass(frozen=True, slots=True)
class Notes:
    """Clean HTML of the notes, of what a host added below, and what had to be done to them."""

    notes_html: str
    boilerplate_html: str = ""
    tracking_pictures: int = 0
    was_cut: bool = False


def read_notes(encoded: str, description: str, *, title: str, base_url: str | None) -> Notes:
    """Give the notes of an episode whose content:encoded and description are these texts.

    The first is taken, unless it is only the beginning of the second. Text without any markup
    gets its paragraphs and line breaks from its lines. A description that only repeats the title
    is none. Relative links are relative to `base_url`.
    """
    chosen = _chosen(encoded, description)[:_MAX_FOREIGN_CHARS]
    if not chosen.strip():
        return Notes("")
    chosen, tracking_pictures = _without_tracking(chosen)
    clean = clean_html(_as_html(chosen), base_url=base_url)
    if not encoded and len(clean) < 1000 and plain_line(clean) == plain_line(title):
        return Notes("")
    kept, boilerplate = _without_boilerplate(clean)
    # A character has four bytes at most.
    cut = kept if 4 * len(kept) <= MAX_NOTES_BYTES else truncate_html(kept, MAX_NOTES_BYTES)
    return Notes(cut, boilerplate, tracking_pictures, was_cut=cut != kept)


def _chosen(encoded: str, description: str) -> str:
    if not encoded or not description or len(description) <= len(encoded):
        return encoded or description
    # Where the longer text only begins like the shorter, that one was cut off.
    start = plain_line(encoded[:5000]).rstrip(".… ")
    return description if start and plain_line(description[:20_000]).startswith(start) else encoded


def has_markup(text: str) -> bool:
    """Whether there is a tag of HTML in `text`."""
    return "<" in text and _TAGS.search(text) is not None


def _as_html(text: str) -> str:
    if has_markup(text):
        return text
    # Entities stay: whoever wrote "AT&amp;T" into a description meant HTML.
    text = text.replace("<", "&lt;").replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = [block.strip() for block in re.split(r"\n[ \t]*\n", text)]
    return "".join(f"<p>{block}</p>".replace("\n", "<br>") for block in paragraphs if block)


def _without_tracking(text: str) -> tuple[str, int]:
    if "<img" not in text.lower():
        return text, 0
    removed = 0

    def judged(match: re.Match[str]) -> str:
        nonlocal removed
        is_tracking = _IS_TRACKING.search(match[0]) is not None
        removed += is_tracking
        return "" if is_tracking else match[0]

    return _PICTURE.sub(judged, text), removed


def _without_boilerplate(clean: str) -> tuple[str, str]:
    """Take the last lines off for as long as they are a host's words and not the show's."""
    removed: list[str] = []
    rest = clean
    for _ in range(_LINES_LOOKED_AT):
        rest, line = _without_last_line(rest)
        text = _text(line) if len(line) <= _BOILERPLATE_CHARS else line
        if text and not _BOILERPLATE.fullmatch(text):
            break
        if text:
            removed.insert(0, f"<p>{line.strip()}</p>")
            clean = rest
        if not rest:
            break
    return clean, "".join(removed)


def _without_last_line(clean: str) -> tuple[str, str]:
    """Split off what stands behind the last <p>, </p> or <br>; what is left stays closed."""
    clean = clean.rstrip()
    end = len(clean) - len("</p>") if clean.endswith("</p>") else len(clean)
    paragraph, line_break = clean.rfind("<p>", 0, end), clean.rfind("<br>", 0, end)
    closed = clean.rfind("</p>", 0, end)
    if closed > max(paragraph, line_break):
        start = closed + len("</p>")
        return clean[:start], clean[start:end]
    if line_break > paragraph:
        rest = clean[:line_break].rstrip() + clean[end:]
        return rest, clean[line_break + len("<br>") : end]
    if paragraph >= 0:
        return clean[:paragraph].rstrip(), clean[paragraph + len("<p>") : end]
    return "", clean


def _text(line: str) -> str:
    return plain_line(re.sub(r"<[^<>]*>", " ", line))
