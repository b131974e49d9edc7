"""What show.toml says of a show's site, against what is kept of it: the style sheet read, what
would change, and the change itself."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from podhost.errors import Invalid
from podhost.folders.files import find_file, read_bytes
from podhost.formats.folder_site import SiteEntry
from podhost.formats.showfolder import decode_text
from podhost.models import Show
from podhost.shows import find_show
from podhost.site.editions import link_editions, other_editions
from podhost.site.settings import SiteInput, SiteLink, change_site, site_changes

_LARGEST_CSS_BYTES = 1_000_000


def read_site_css(root: Path, site: SiteEntry | None) -> SiteEntry | None:
    """The site with the style sheet itself where its path stood. Raises Invalid."""
    if site is None or site.css_path is None:
        return site
    data = read_bytes(find_file(root, site.css_path, "site.css"), _LARGEST_CSS_BYTES)
    return msgspec.structs.replace(site, css=decode_text(data))


def changes_of_site(
    session: Session, show: Show | None, site: SiteEntry
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that would change, and sentences on sister shows that are not here.

    Raises Invalid for what cannot be used.
    """
    changes = site_changes(session, show, _input(site))
    found, missing = _sisters(session, show, site)
    known = {each.show.id for each in other_editions(session, show)} if show is not None else set()
    if any(each.id not in known for each in found):
        changes.append("editions")
    warnings = [
        f"The show {slug!r} is not here yet; as an edition it is linked once both are published."
        for slug in missing
    ]
    return tuple(changes), tuple(warnings)


def apply_site(
    session: Session, show: Show, site: SiteEntry, *, base_url: str, now: datetime
) -> None:
    """Have the site be as show.toml says. Raises Invalid and Conflict."""
    change_site(session, show, _input(site), now=now, base_url=base_url)
    known = {each.show.id for each in other_editions(session, show)}
    for sister in _sisters(session, show, site)[0]:
        if sister.id not in known:
            link_editions(session, show, sister, now=now)


def _input(site: SiteEntry) -> SiteInput:
    links = [SiteLink(link.name or "", link.url, link.icon or "") for link in site.links]
    return SiteInput(
        domain=site.domain,
        accent=site.accent,
        css=site.css,
        links=tuple(links),
        is_indexed=site.indexed,
    )


def _sisters(
    session: Session, show: Show | None, site: SiteEntry
) -> tuple[Sequence[Show], Sequence[str]]:
    """The sister shows that are here, and the slugs of those that are not."""
    found, missing = [], []
    for slug in site.editions:
        sister = find_show(session, slug)
        if sister is None or sister.deleted_at is not None:
            missing.append(slug)
        elif show is not None and sister.id == show.id:
            raise Invalid("“editions” names the other shows, and not the show itself.")
        else:
            found.append(sister)
    return found, missing
