"""Every sentence that pages and mails say is there in every language that podhost speaks."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment

from podhost.translations import LANGUAGES, choose_language, words

PACKAGE = Path(str(files("podhost")))
_PLACES = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
_TRANSLATING = {"_", "N_", "words", "gettext"}


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence to be translated, with where it stands."""
    reader = Environment(extensions=["jinja2.ext.i18n"])
    for path in sorted((PACKAGE / "templates").rglob("*.*")):
        for line, _, found in reader.extract_translations(path.read_text(encoding="utf-8")):
            for sentence in (found,) if isinstance(found, str) else found[:1]:
                if sentence:
                    yield sentence, f"{path.name}:{line}"
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from _in_code(path)


def _in_code(path: Path) -> Iterator[tuple[str, str]]:
    """Calls of `_`, `visit.words` or `.plural` with a sentence as it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        first = node.args[0]
        is_sentence = isinstance(first, ast.Constant) and isinstance(first.value, str)
        if name in _TRANSLATING | {"plural"} and is_sentence:
            yield first.value, f"{path.name}:{node.lineno}"  # type: ignore[attr-defined]


# Modules whose sentences somebody can read on a page of the studio, one and all.
SPEAKING: tuple[str, ...] = (
    "accounts.accounts",
    "accounts.email_change",
    "accounts.invitations",
    "accounts.links",
    "accounts.login_limits",
    "accounts.own_account",
    "accounts.password_proof",
    "accounts.password_reset",
    "accounts.passwords",
    "accounts.roles",
    "accounts.second_factors",
    "accounts.sessions",
    "accounts.team",
    "app",
    "artwork",
    "audio.revisions",
    "audio.shifting",
    "audio.tagging",
    "audio.waveforms",
    "catalogue",
    "catalogue.audio_sources",
    "catalogue.loading",
    "catalogue.side_files",
    "chapters.editing",
    "chapters.pictures",
    "chapters.rows",
    "commands.imports",
    "db",
    "doctor",
    "doctor.diagnoses",
    "doctor.live",
    "doctor.live_rules",
    "editing.bulk",
    "editing.edits",
    "editing.local_times",
    "editing.planning",
    "editing.previews",
    "editing.versions",
    "episodes",
    "episodes.publishing",
    "feeds.further",
    "feeds.hubs",
    "fetching",
    "fetching.connections",
    "fetching.files",
    "fields",
    "formats.artwork",
    "formats.artwork_facts",
    "formats.audio",
    "formats.categories",
    "formats.chapter_formats",
    "formats.chapters",
    "formats.clips",
    "formats.clock_times",
    "formats.doctor",
    "formats.doctor_episodes",
    "formats.doctor_fields",
    "formats.doctor_podcast",
    "formats.doctor_rules",
    "formats.doctor_show",
    "formats.doctor_table",
    "formats.doctor_values",
    "formats.feed_bytes",
    "formats.feed_dates",
    "formats.feed_mending",
    "formats.feed_tags",
    "formats.feed_xml",
    "formats.foreign_tags",
    "formats.id3_writing",
    "formats.imported",
    "formats.imported_tags",
    "formats.languages",
    "formats.limits",
    "formats.magic",
    "formats.markdown",
    "formats.mp4_boxes",
    "formats.mp4_writing",
    "formats.opml",
    "formats.podcast_namespace",
    "formats.probe",
    "formats.rss_import",
    "formats.rss_import_episodes",
    "formats.rss_import_fields",
    "formats.rss_import_notes",
    "formats.rss_import_tags",
    "formats.sound",
    "formats.tag_checks",
    "formats.tag_rules",
    "formats.tag_values",
    "formats.tags",
    "formats.text",
    "formats.time_shifts",
    "formats.transcripts",
    "formats.type_sentences",
    "formats.waveforms",
    "formats.written_tags",
    "formats.written_text",
    "guests.clips",
    "guests.links",
    "guests.proposals",
    "history.trash",
    "history.undo",
    "importing.answers",
    "importing.comparison",
    "importing.documents",
    "importing.episodes",
    "importing.files",
    "importing.mapping",
    "importing.pages",
    "importing.plans",
    "importing.previews",
    "importing.rows",
    "importing.shows",
    "importing.sources",
    "jobs",
    "mail",
    "mail.sending",
    "moves",
    "moves.cut_over",
    "newsletter.issues",
    "newsletter.sending",
    "newsletter.settings",
    "newsletter.subscribers",
    "people",
    "rate_limits",
    "serving.refusals",
    "shows",
    "shows.directories",
    "shows.live",
    "shows.people",
    "site.domains",
    "site.editions",
    "site.settings",
    "storage.__init__",
    "storage.contract",
    "transcripts",
    "transcripts.editing",
    "uploads",
    "uploads.cors",
    "uploads.intake",
    "uploads.limits",
    "uploads.sweep",
    "uploads.taking",
    "web.api_account",
    "web.api_articles",
    "web.api_directories",
    "web.api_edits",
    "web.api_episodes",
    "web.api_feeds",
    "web.api_guests",
    "web.api_history",
    "web.api_imports",
    "web.api_live",
    "web.api_media",
    "web.api_newsletter",
    "web.api_overviews",
    "web.api_pages",
    "web.api_shows",
    "web.api_site",
    "web.api_uploads",
    "web.auth",
    "web.calls",
    "web.inputs",
    "web.parts",
    "web.private_files",
    "web.studio.account_pages",
    "web.studio.article_pages",
    "web.studio.artwork_pages",
    "web.studio.calendar_page",
    "web.studio.chapter_pages",
    "web.studio.doctor_words",
    "web.studio.entry",
    "web.studio.episode_form",
    "web.studio.episode_list",
    "web.studio.episode_page",
    "web.studio.episode_tags",
    "web.studio.factors",
    "web.studio.guest_portal",
    "web.studio.guest_view",
    "web.studio.guests",
    "web.studio.history_page",
    "web.studio.link_pages",
    "web.studio.listening",
    "web.studio.menu_pages",
    "web.studio.show_fields_about",
    "web.studio.show_fields_feed",
    "web.studio.show_forms",
    "web.studio.show_moving",
    "web.studio.show_settings",
    "web.studio.site_page",
    "web.studio.soundbite_pages",
    "web.studio.table",
    "web.studio.team_pages",
    "web.studio.transcript_pages",
    "web.studio.uploads",
    "web.studio.visits",
    "web.uploading",
    "written.answers",
    "written.articles",
    "written.pages",
    "written.publishing",
    "written.reading",
    "written.slugs",
    "written.sponsors",
)
# Sentences in them that are no page's, each with the reason.
UNSAID: dict[str, str] = {
    "%(proposed)s %(proposed_at)s.": "It has no words; with its first value it is there.",
}


def domain_sentences(module: str) -> Iterator[tuple[str, str]]:
    """Every sentence of a module, values as places, with where it stands."""
    path = PACKAGE / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(node) for node in _silent(tree)}
    for node in ast.walk(tree):
        if id(node) not in silent and isinstance(node, ast.Constant | ast.JoinedStr):
            sentence = _pattern(node)
            if sentence and _is_sentence(sentence) and sentence not in UNSAID:
                yield sentence, f"{path.name}:{node.lineno}"


def _silent(tree: ast.Module) -> Iterator[ast.AST]:
    """What nobody is told: documentation, logs, the API's description, pieces of f-strings."""
    for node in ast.walk(tree):
        is_told = isinstance(node, ast.Call) and ast.unparse(node.func).startswith(
            ("logger.", "logging.", "Operation", "Query", "re.")
        )
        if isinstance(node, ast.JoinedStr) or is_told:
            yield from (inner for inner in ast.walk(node) if inner is not node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.keyword) and node.arg in ("summary", "description"):
            yield from ast.walk(node)


def _is_sentence(text: str) -> bool:
    start, end = text[:1], text.rstrip()[-1:]
    is_left_open = start.isupper() and text.endswith(")s") and re.search(r"[.:”] ?%", text)
    is_begun = start.isupper() or start in '%“"{<'
    return " " in text.strip() and is_begun and (end in ".?!:" or bool(is_left_open))


def _pattern(node: ast.Constant | ast.JoinedStr) -> str:
    """A sentence as it stands in a catalogue: values have the last name in their expression."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else ""
        return _numbered(text.split("{}"))
    made, used = "", set[str]()
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            names = re.findall(r"[A-Za-z]\w*", re.sub(r"'.*?'", "", ast.unparse(part.value)))
            name = names[-1].lower() if names else "value"
            while name in used:
                name += "_"
            used.add(name)
            made += f"%({name})s"
        elif isinstance(part, ast.Constant):
            made += str(part.value)
    return _numbered(made.split("{}"))


def _numbered(pieces: list[str]) -> str:
    places = [f"%(value{number or ''})s" for number in range(len(pieces) - 1)]
    return "".join(piece + place for piece, place in zip(pieces, [*places, ""], strict=True))


def _shape(sentence: str) -> str:
    """A sentence without the names of its places, and as it is trimmed when it is said."""
    return re.sub(r"%\(\w+\)s", "%s", sentence).strip()


def _catalogued(language: str) -> Iterator[str]:
    """What the catalogues of a language have, with the forms for many."""
    for path in sorted((PACKAGE / "locales" / language).glob("*.po")):
        with path.open("rb") as source:
            for message in read_po(source, locale=language):
                yield from (message.id,) if isinstance(message.id, str) else message.id


OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_missing(language: str) -> None:
    known = words(language)._catalogue
    missing = {sentence: place for sentence, place in sentences() if sentence not in known}
    assert missing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_of_the_domain_is_missing(language: str) -> None:
    known = {_shape(sentence) for sentence in _catalogued(language)}
    missing = {
        sentence: place
        for module in SPEAKING
        for sentence, place in domain_sentences(module)
        if _shape(sentence) not in known
    }
    assert missing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_same_places(language: str) -> None:
    for path in sorted((PACKAGE / "locales" / language).glob("*.po")):
        with path.open("rb") as source:
            catalogue = read_po(source, locale=language)
        for message in catalogue:
            ids = [message.id] if isinstance(message.id, str) else [*message.id]
            said = [message.string] if isinstance(message.string, str) else [*message.string]
            if not ids[0]:
                continue
            places = {place for text in ids for place in _PLACES.findall(text)}
            for text in said:
                assert text, f"{path.name}: {ids[0]!r} is not translated"
                assert set(_PLACES.findall(text)) <= places, f"{path.name}: {text!r}"
            assert {place for text in said for place in _PLACES.findall(text)} == places, ids[0]


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_is_translated_in_one_way(language: str) -> None:
    seen: dict[str, object] = {}
    for path in sorted((PACKAGE / "locales" / language).glob("*.po")):
        with path.open("rb") as source:
            for message in read_po(source, locale=language):
                key = message.id if isinstance(message.id, str) else message.id[0]
                if key:
                    assert seen.setdefault(key, message.string) == message.string, path.name


@pytest.mark.parametrize(
    ("wanted", "header", "language"),
    [
        (None, "", "en"),
        (None, "es", "es"),
        (None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, "fr, en;q=0.3, es;q=0.4", "es"),
        (None, "es;q=0, en;q=0.1", "en"),
        (None, "es;q=x", "en"),
        (None, "," * 10_000, "en"),
        ("es", "en", "es"),
        ("tlh", "es", "es"),
    ],
)
def test_the_language_is_the_one_that_was_asked_for(
    wanted: str | None, header: str, language: str
) -> None:
    assert choose_language(wanted, header) == language


def test_numbers_choose_their_form() -> None:
    spoken = words("es")
    said = [spoken.plural("%(num)s draft", "%(num)s drafts", count) for count in (0, 1, 2)]
    assert said == ["0 borradores", "1 borrador", "2 borradores"]
