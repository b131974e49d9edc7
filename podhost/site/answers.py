"""What programs are told of a show's site; it changes nothing."""

from collections.abc import Sequence

import msgspec
from sqlalchemy.orm import Session

from podhost.models import Show
from podhost.site.editions import other_editions
from podhost.site.former_domains import former_domains
from podhost.site.settings import SiteLink, icon_of, site_settings, site_url


class EditionAnswer(msgspec.Struct, kw_only=True):
    """A sister show in another language."""

    show: str
    title: str
    language: str
    url: str


class SiteAnswer(msgspec.Struct, kw_only=True):
    """A show's site: `url` is where it is, on its own domain where it has one, and whereto
    `former_domains` lead; `accent` null means a colour of the artwork; each of `links` says its
    icon, chosen or not; `editions` are its sister shows."""

    url: str
    domain: str | None
    former_domains: list[str]
    accent: str | None
    css: str
    links: list[SiteLink]
    is_indexed: bool
    editions: list[EditionAnswer]
    warnings: list[str]


def site_answer(
    session: Session, show: Show, base_url: str, *, warnings: Sequence[str] = ()
) -> SiteAnswer:
    """What is said of the show's site."""
    site = site_settings(session, show)
    return SiteAnswer(
        url=site_url(base_url, show, site.domain) + "/",
        domain=site.domain,
        former_domains=[*former_domains(session, show)],
        accent=site.accent,
        css=site.css,
        links=[SiteLink(link.name, link.url, icon_of(link)) for link in site.links],
        is_indexed=site.is_indexed,
        editions=[
            EditionAnswer(
                show=edition.show.slug,
                title=edition.show.title,
                language=edition.show.language,
                url=edition.url(base_url),
            )
            for edition in other_editions(session, show)
        ],
        warnings=[*warnings],
    )
