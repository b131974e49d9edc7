"""Templates of pages and mails, in each language, with the filters that they share; no request.

Everything that is put into a template is escaped; only what is `Markup` already stays as it is.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from jinja2 import (
    BaseLoader,
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
)
from jinja2.bccache import Bucket
from markupsafe import Markup

from podhost.formats.figures import clock, duration, file_size
from podhost.translations import DEFAULT, words


class _SharedCode(BytecodeCache):
    """The templates' code, in memory: it is the same in each language, and compiled once."""

    def __init__(self) -> None:
        self._kept: dict[str, Bucket] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the template its code, if that was made of the same text."""
        kept = self._kept.get(bucket.key)
        if kept is not None and kept.checksum == bucket.checksum:
            bucket.code = kept.code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code for the other languages."""
        self._kept[bucket.key] = bucket


_shared_code = _SharedCode()
_packaged = PackageLoader("podhost", "templates")


@lru_cache
def environment(language: str) -> Environment:
    """The templates as they speak in one language."""
    return _environment(language, _packaged)


@lru_cache
def own_environment(language: str, folder: str) -> Environment:
    """The same with templates of an owner's in the place of those of the site.

    Those that they replace are still there as podhost/NAME, to be extended.
    """
    own = PrefixLoader({"site": FileSystemLoader(folder)})
    replaced = PrefixLoader({"podhost": PackageLoader("podhost", "templates/site")})
    return _environment(language, ChoiceLoader([own, _packaged, replaced]))


def template_steps(folder: str) -> Iterator[Callable[[], object]]:
    """Calls that each have one template of a folder compiled, which serves all languages."""
    made = environment(DEFAULT)
    for name in made.list_templates():
        if name.startswith(folder):
            yield partial(made.get_template, name)


def _environment(language: str, loader: BaseLoader) -> Environment:
    spoken = words(language)
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=_shared_code,
        # Or a filter of a constant would be worked out in the language that comes first.
        optimized=False,
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        gettext=spoken.find,
        ngettext=spoken.form,
        newstyle=True,
    )
    made.filters["when"] = lambda moment, zone: when(moment, zone, language=spoken.language)
    made.filters["day"] = lambda moment, zone: day(moment, zone, language=spoken.language)
    made.filters["date_words"] = lambda day: date_words(day, language=spoken.language)
    made.filters["said"] = spoken.said
    made.filters["duration"] = duration
    made.filters["clock"] = clock
    made.filters["file_size"] = file_size
    return made


def when(moment: datetime, zone: str, *, language: str) -> Markup:
    """A moment as people in a time zone read it, with the zone named; as markup."""
    local = moment.astimezone(ZoneInfo(zone))
    shown = format_datetime(local, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=language)
    return Markup('<time datetime="{}">{} <span class="zone">{}</span></time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", shown, zone_name(zone)
    )


def day(moment: datetime, zone: str, *, language: str) -> Markup:
    """The day of a moment in a time zone; as markup."""
    local = moment.astimezone(ZoneInfo(zone)).date()
    shown = format_date(local, "d MMM y", locale=language)
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(), shown)


def date_words(day: str, *, language: str) -> str:
    """A date such as 2026-03-01 as people read it; it has no time and no zone."""
    return format_date(date.fromisoformat(day), "d MMM y", locale=language)


def zone_name(zone: str) -> str:
    """How a time zone is called beside a time: by its place, which needs no translation."""
    return zone.rpartition("/")[2].replace("_", " ")


def json_text(value: str) -> Markup:
    """Text of JSON for a data block of a page, which no text in it can end."""
    # Every sign of it is escaped as JSON does it, so nothing is left for HTML to read.
    safe = value.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(safe)  # noqa: S704 - nothing of HTML is left in it


def own_name(language: str) -> str:
    """What a language is called by those who speak it; its code where that is not known."""
    # Loaded here, because few pages name one.
    from babel.core import Locale, UnknownLocaleError

    try:
        name = Locale.parse(language, sep="-").get_display_name()
    except (ValueError, UnknownLocaleError):
        name = None
    return name[:1].upper() + name[1:] if name else language
