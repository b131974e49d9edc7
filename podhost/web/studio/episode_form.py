"""The form of the episode page: what the episode says as text for inputs, and inputs as values.

It reads no rows; what a value may be is judged where it is kept.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from podhost.web.forms import FormValues
from podhost.web.studio.episode_tags import TAG_NAMES, bare, read_tags, root_of

PERSON_FIELDS = ("name", "role", "url", "bio", "image_url", "artwork_id", "links")
_LINES = ("title", "slug", "link", "author", "season_name", "apple_title")
_MORE_LINES = ("decimal_number", "episode_display", "artwork_alt")
_NUMBERS = ("season", "number")
_LABELLED = {"funding": ("url", "label"), "content_links": ("href", "text")}
# In the order in which the page has them; errors of others are shown above the form.
FIELDS = (
    *("title", "notes", "people", "season", "number", "episode_type", "explicit", "blocked"),
    *("slug", "link", "author", "season_name", "apple_title", "decimal_number"),
    *("episode_display", "artwork_alt", "labels", "funding", "content_links", "license"),
    *TAG_NAMES,
)
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_EXPLICIT = {"": None, "yes": True, "no": False}
NOT_A_NUMBER = "It must be a whole number, or empty."


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """The text of every input, for what the episode (or a working copy) says."""
    texts: dict[str, Any] = {}
    for name in (*_LINES, *_MORE_LINES, *_NUMBERS, "notes", "episode_type"):
        value = values.get(name)
        texts[name] = "" if value is None else str(value)
    explicit = values.get("explicit")
    texts["explicit"] = "" if explicit is None else "yes" if explicit else "no"
    texts["blocked"] = bool(values.get("blocked"))
    texts["labels"] = ", ".join(values.get("labels") or ())
    for name, (address, words) in _LABELLED.items():
        entries = values.get(name) or ()
        texts[name] = "\n".join(_line(entry[address], entry.get(words)) for entry in entries)
    license_ = values.get("license") or {}
    texts["license"] = _line(license_.get("name") or "", license_.get("url"))
    texts["people"] = [_person_texts(person) for person in values.get("people") or ()]
    # Their inputs are made of the values themselves; this is what tells whether they changed.
    texts |= {name: bare(values.get(name)) for name in TAG_NAMES}
    return texts


def fingerprints(texts: Mapping[str, Any]) -> str:
    """What the page said in each field when it was made, short: whoever posts it back has changed
    what is different by then, and nothing else."""
    return json.dumps({name: _fingerprint(texts[name]) for name in FIELDS})


def read_form(form: FormValues) -> tuple[dict[str, Any], dict[str, str]]:
    """Every field of a posted page as the API takes it, and what cannot be read at all."""
    wrong: dict[str, str] = {}
    values: dict[str, Any] = {name: form.text(name).strip() for name in (*_LINES, *_MORE_LINES)}
    for name in ("link", "author", "season_name", "apple_title", *_MORE_LINES):
        values[name] = values[name] or None
    values["notes"] = form.text("notes")
    values["episode_type"] = form.text("episode_type") or "full"
    values["explicit"] = _EXPLICIT.get(form.text("explicit"))
    values["blocked"] = form.has("blocked")
    for name in _NUMBERS:
        text = form.text(name).strip()
        if text and not _DIGITS.fullmatch(text):
            wrong[name] = NOT_A_NUMBER
        else:
            values[name] = int(text) if text else None
    labels = (label.strip() for label in form.text("labels").split(","))
    values["labels"] = [label for label in labels if label]
    for name, (address, words) in _LABELLED.items():
        values[name] = [
            {address: url, words: label}
            for url, _, label in (_parts(line) for line in form.text(name).splitlines())
            if url
        ]
    values["license"] = _license(form.text("license"))
    values["people"] = read_people(form)
    tags, wrong_tags = read_tags(form.pairs)
    unread = {root_of(path) for path in wrong_tags}
    values |= {name: value for name, value in tags.items() if name not in unread}
    return values, {**wrong, **wrong_tags}


def changed_since(form: FormValues, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are not what the page said when it was made; nothing at all of a
    form that does not say what that was, because what it leaves out is not meant to be empty."""
    try:
        before = json.loads(form.text("was"))
    except ValueError:
        return {}
    if not isinstance(before, dict):
        return {}
    now = shown(values)
    return {
        name: value
        for name, value in values.items()
        if name in before and before[name] != _fingerprint(now[name])
    }


def read_people(form: FormValues) -> list[dict[str, Any]]:
    """The rows of people that say something, in their order."""
    columns = [form.all(f"person_{name}") for name in PERSON_FIELDS]
    people = []
    for row in zip(*columns, strict=False):
        person: dict[str, Any] = {
            name: text.strip() or None for name, text in zip(PERSON_FIELDS, row, strict=True)
        }
        role = person.pop("role") or "cast/guest"
        if not any(person.values()):
            continue
        group, _, person["role"] = role.partition("/")
        person["group"], person["name"] = group, person["name"] or ""
        if person["artwork_id"] is None:
            del person["artwork_id"]
        lines = (_parts(line) for line in (person["links"] or "").splitlines())
        person["links"] = [{"url": url, "name": name or ""} for url, _, name in lines if url]
        people.append(person)
    return people


def _person_texts(person: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: person.get(name) or "" for name in PERSON_FIELDS}
    links = person.get("links") or ()
    texts["links"] = "\n".join(_line(link["url"], link.get("name")) for link in links)
    role = person.get("role") or "guest"
    texts["role"] = f"{person.get('group') or 'cast'}/{role}"
    return texts


def _license(text: str) -> dict[str, str] | None:
    """A name, and an address behind it: CC-BY-4.0, or "Our own https://example.org/terms"."""
    words, _, last = text.strip().rpartition(" ")
    if last.startswith(("https://", "http://")) and words:
        return {"name": words.strip(), "url": last}
    return {"name": text.strip()} if text.strip() else None


def _line(first: str, second: str | None) -> str:
    return f"{first} {second}" if second else first


def _parts(line: str) -> tuple[str, str, str | None]:
    first, space, rest = line.strip().partition(" ")
    return first, space, rest.strip() or None


def _fingerprint(text: Any) -> str:
    # Spaces at the ends are not taken out of a form.
    text = text.strip() if isinstance(text, str) else text
    data = json.dumps(text, sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()[:12]
