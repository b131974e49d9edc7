"""What show.toml is to say of a show's site, and its style sheet as a file of its own.

Rows are read before. `folders.site` is the way back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from podhost.formats.folder_site import SiteEntry, SiteLinkEntry
from podhost.models import Show
from podhost.site.editions import other_editions
from podhost.site.settings import SiteSettings, site_settings

_CSS_FILE = "site.css"


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """What is said of a site, and the slugs of its sister shows."""

    settings: SiteSettings
    editions: Sequence[str]


def load_site(session: Session, show: Show) -> LoadedSite:
    """Read it."""
    editions = [edition.show.slug for edition in other_editions(session, show)]
    return LoadedSite(site_settings(session, show), editions)


def write_site(loaded: LoadedSite, put: Callable[[str, bytes], None]) -> SiteEntry | None:
    """What show.toml is to say; None: nothing. The style sheet is written."""
    site = loaded.settings
    if site.css:
        put(_CSS_FILE, site.css.encode())
    entry = SiteEntry(
        domain=site.domain,
        accent=site.accent,
        css=_CSS_FILE if site.css else None,
        links=tuple(
            SiteLinkEntry(url=link.url, name=link.name or None, icon=link.icon or None)
            for link in site.links
        ),
        indexed=site.is_indexed,
        editions=tuple(loaded.editions),
    )
    return entry if entry != SiteEntry() else None
