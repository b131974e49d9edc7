"""Makes the studio's pages of their templates; what they must not do is in their headers."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from podhost.accounts.roles import Permission
from podhost.formats.languages import is_right_to_left
from podhost.instance import Instance
from podhost.templating import environment, json_text
from podhost.translations import LANGUAGES
from podhost.web.static_files import static_path

if TYPE_CHECKING:
    from podhost.web.studio.visits import Visit


def render(visit: "Visit", template: str, **values: Any) -> bytes:
    """The page as bytes; `show` among the values puts the show's navigation beside it."""
    made = environment(visit.language)
    told = {
        "visit": visit,
        "account": visit.actor,
        "may_edit": Permission.EDIT in visit.allowed,
        "may_manage": Permission.MANAGE in visit.allowed,
        "csrf": visit.csrf,
        "language": visit.language,
        "languages": LANGUAGES,
        "direction": "rtl" if is_right_to_left(visit.language) else "ltr",
        "static": static_path,
        "script_words": script_words,
        "base_url": visit.instance.base_url,
        "path": visit.request.url.path,
        "field_errors": {},
        "error": "",
        **values,
    }
    return made.get_template(template).render(told).encode()


def script_words(sentences: Mapping[str, Any]) -> Markup:
    """What scripts of a page say, as a block of data that words.js reads."""
    body = json_text(json.dumps(sentences, ensure_ascii=False))
    return Markup('<script type="application/json" id="words">{}</script>').format(body)


def headers(instance: Instance) -> dict[str, str]:
    """What every page may do: nothing but what is ours, and no other host hears of it."""
    media = " ".join(["'self'", "blob:", *_store_origins(instance)])
    reached = " ".join(["'self'", *_store_origins(instance)])
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"img-src 'self' blob: data:; media-src {media}; connect-src {reached}; "
            "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _store_origins(instance: Instance) -> list[str]:
    """Where browsers bring parts of uploads, and hear audio, when the store is a bucket."""
    origins = []
    example = instance.storage.url_for("audio/example", expires_seconds=60)
    for address in (example or "", instance.settings.audio_url):
        scheme, separator, rest = address.partition("://")
        if separator:
            origins.append(f"{scheme}://{rest.partition('/')[0]}")
    return origins
