"""What pages and mails say, in the languages that podhost speaks; it knows no page.

English sentences are the keys. Each other language has a folder under locales/, with a catalogue
for each area, in the format of GNU gettext; they are read as they are, so nothing is compiled.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

DEFAULT = "en"
LANGUAGES = {"en": "English", "es": "Español"}
_LOCALES = "locales"
_LONGEST_HEADER = 500
# What the domain says is shorter; anything else is somebody's text.
_LONGEST_SENTENCE = 5_000
_DEEPEST = 2
_FEWEST_LETTERS = 4
_END = re.compile(r"(?<=[.?!]) ")
_MOST_ENDS = 8
_PLACE = re.compile(r"%\((\w+)\)s")
_NAMED = re.compile(r"(?:^|(?<=[.?!] ))([\w.\[\]-]{1,80}): ")


class Words:
    """The words of one language. Calling it gives a sentence, with `values` put into it."""

    def __init__(self, language: str, catalogue: Mapping[str, str | tuple[str, ...]]) -> None:
        self.language = language
        self._catalogue = catalogue

    def __call__(self, sentence: str, **values: Any) -> str:
        """The sentence in this language; the English one where there is no other."""
        text = self.find(sentence)
        return text % values if values else text

    def plural(self, one: str, many: str, count: int, **values: Any) -> str:
        """The sentence for so many; `%(num)s` in it is the number."""
        return self.form(one, many, count) % {"num": count, **values}

    def find(self, sentence: str) -> str:
        """The sentence, with its places still empty."""
        found = self._catalogue.get(sentence, sentence)
        return found if isinstance(found, str) else found[0]

    def said(self, sentence: str) -> str:
        """What the domain said in English, with values in it already, in this language.

        A sentence without values is looked up as it stands. Of those with values, the catalogue
        has the pattern, such as "There is no show %(slug)s here."; of all that fit, the one with
        the most words of its own is taken. Fields' names before a sentence stay. What the
        catalogue does not have stays English.
        """
        if not self._catalogue or len(sentence) > _LONGEST_SENTENCE:
            return sentence
        return self._said(sentence, 0)

    def _said(self, sentence: str, depth: int) -> str:
        found = self._said_whole(sentence, depth)
        if found is None and depth < _DEEPEST:
            found = self._said_named(sentence, depth + 1) or self._said_in_two(sentence, depth + 1)
        return sentence if found is None else found

    def _said_whole(self, sentence: str, depth: int) -> str | None:
        if sentence in self._catalogue:
            return self.find(sentence)
        for pattern in self._fitting(sentence):
            values = pattern.values_in(sentence)
            if values is not None:
                return pattern.filled(
                    {name: self._said_inside(text, depth + 1) for name, text in values.items()}
                )
        return None

    def _said_named(self, sentence: str, depth: int) -> str | None:
        """ "title: It must not be empty. guid: It is missing." """
        found = list(_NAMED.finditer(sentence))
        if not found or found[0].start():
            return None
        ends = [one.start() - 1 for one in found[1:]] + [len(sentence)]
        parts = [(one[0], sentence[one.end() : end]) for one, end in zip(found, ends, strict=True)]
        return " ".join(name + self._said(text, depth) for name, text in parts)

    def _said_in_two(self, sentence: str, depth: int) -> str | None:
        """Sentences that were put one behind the other."""
        for end in list(_END.finditer(sentence))[:_MOST_ENDS]:
            first = self._said_whole(sentence[: end.start()], depth)
            if first is not None:
                return f"{first} {self._said(sentence[end.end() :], depth)}"
        return None

    def _said_inside(self, value: str, depth: int) -> str:
        """A value that is a sentence itself, or words of ours; names and titles stay."""
        is_sentence = value.endswith((".", "?", "!"))
        is_ours = " " in value and (is_sentence or value[0].islower())
        return self._said(value, depth) if is_ours and depth <= _DEEPEST else value

    def _fitting(self, sentence: str) -> Iterator["_Pattern"]:
        """Patterns that begin as the sentence does, then those that begin with a value.

        Of each kind, those with the most words come first.
        """
        yield from self._patterns.get(sentence.partition(" ")[0], [])
        yield from self._patterns.get("", [])

    @cached_property
    def _patterns(self) -> dict[str, list["_Pattern"]]:
        """Patterns by their first word; by "" those that begin with a value."""
        patterns: dict[str, list[_Pattern]] = {}
        for sentence in self._catalogue:
            if not _PLACE.search(sentence):
                continue
            pattern = _Pattern.of(sentence, self.find(sentence))
            if pattern.letters >= _FEWEST_LETTERS:
                word, space, _ = pattern.pieces[0].partition(" ")
                patterns.setdefault(word if space else "", []).append(pattern)
        for found in patterns.values():
            found.sort(key=lambda pattern: -pattern.letters)
        return patterns

    def form(self, one: str, many: str, count: int) -> str:
        """The form of a sentence for so many, with its places still empty."""
        found = self._catalogue.get(one)
        forms = found if isinstance(found, tuple) else (one, many)
        # So it is in English and in Spanish; a language that counts otherwise brings its rule.
        return forms[0 if count == 1 else -1]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A sentence with places: what stands before, between and after them."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    said: str
    letters: int

    @classmethod
    def of(cls, sentence: str, said: str) -> "_Pattern":
        # Those that are also filled by % have a sign of their own written twice.
        parts = _PLACE.split(sentence.replace("%%", "%"))
        pieces = tuple(parts[::2])
        letters = sum(map(str.isalpha, "".join(pieces)))
        return cls(pieces, tuple(parts[1::2]), said.replace("%%", "%"), letters)

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """The values by the names of their places; None: it is another sentence."""
        first, last = self.pieces[0], self.pieces[-1]
        place, end = len(first), len(sentence) - len(last)
        if place > end or not sentence.startswith(first) or not sentence.endswith(last):
            return None
        values = []
        for piece in self.pieces[1:-1]:
            found = sentence.find(piece, place, end)
            if found < 0:
                return None
            values.append(sentence[place:found])
            place = found + len(piece)
        values.append(sentence[place:end])
        return dict(zip(self.names, values, strict=True))

    def filled(self, values: Mapping[str, str]) -> str:
        """What it says in the other language, with values in it."""
        return _PLACE.sub(lambda place: values.get(place[1], ""), self.said)


@lru_cache
def words(language: str) -> Words:
    """The words of a language that podhost speaks; English for all others."""
    if language == DEFAULT or language not in LANGUAGES:
        return Words(DEFAULT, {})
    return Words(language, _read_catalogues(language))


def _read_catalogues(language: str) -> dict[str, str | tuple[str, ...]]:
    # Loaded here, because serving feeds needs no words.
    from babel.messages.pofile import read_po

    entries: dict[str, str | tuple[str, ...]] = {}
    folder = files("podhost") / _LOCALES / language
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".po"):
            continue
        with file.open("rb") as source:
            catalogue = read_po(source, locale=language)
        for message in catalogue:
            key = message.id if isinstance(message.id, str) else message.id[0]
            said = message.string
            if key and said and not message.fuzzy:
                entries[key] = said if isinstance(said, str) else tuple(said)
    return entries


def choose_language(wanted: str | None, accept_language: str) -> str:
    """The language to speak: the one that was chosen, or what a browser asks for (RFC 9110 12.5.4).

    Of several that a browser takes, the one that it likes best and that podhost speaks.
    """
    if wanted in LANGUAGES:
        return str(wanted)
    best, best_weight = DEFAULT, 0.0
    for part in accept_language[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.strip().partition(";")
        code = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if code in LANGUAGES and weight > best_weight:
            best, best_weight = code, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
