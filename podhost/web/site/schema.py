"""Shows, episodes and people in the words of schema.org, as search engines read them; plain values.

What each must hold is said at developers.google.com/search/docs and schema.org.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from podhost.audio.revisions import enclosure_url
from podhost.formats.feed_tags import stored_show_tags
from podhost.models import Credit, Episode
from podhost.web.site.frame import feed_url
from podhost.web.site.looks import Look

_CONTEXT = "https://schema.org"


def series(look: Look) -> dict[str, Any]:
    """The show as a PodcastSeries."""
    show = look.show
    return _filled(
        {
            "@context": _CONTEXT,
            "@type": "PodcastSeries",
            "@id": look.url("/"),
            "name": show.title,
            "description": show.description,
            "url": look.url("/"),
            "webFeed": feed_url(look),
            "image": look.picture_url(show.artwork),
            "inLanguage": show.language,
            "author": {"@type": "Person", "name": show.author} if show.author else None,
            "copyrightNotice": show.copyright,
            "sameAs": [link.url for link in look.site.links],
            "potentialAction": [
                {"@type": "DonateAction", "target": funding.url}
                for funding in stored_show_tags(show.tags).funding
            ],
        }
    )


def website(look: Look) -> dict[str, Any]:
    """The show's site as a WebSite, with how it is searched."""
    return {
        "@context": _CONTEXT,
        "@type": "WebSite",
        "name": look.show.title,
        "url": look.url("/"),
        "inLanguage": look.show.language,
        "potentialAction": {
            "@type": "SearchAction",
            "target": {
                "@type": "EntryPoint",
                "urlTemplate": look.url("/search?q={search_term_string}"),
            },
            "query-input": "required name=search_term_string",
        },
    }


def podcast_episode(
    look: Look, episode: Episode, people: Sequence[Credit], summary: str
) -> dict[str, Any]:
    """An episode as a PodcastEpisode."""
    audio = episode.audio
    return _filled(
        {
            "@context": _CONTEXT,
            "@type": "PodcastEpisode",
            "name": episode.title,
            "description": summary,
            "url": look.url(f"/episodes/{episode.slug}"),
            "datePublished": moment(episode.published_at) if episode.published_at else None,
            "timeRequired": _iso_duration(audio.duration_ms) if audio is not None else None,
            "episodeNumber": episode.number,
            "image": look.picture_url(episode.artwork or look.show.artwork),
            "inLanguage": look.show.language,
            "partOfSeries": {
                "@type": "PodcastSeries",
                "@id": look.url("/"),
                "name": look.show.title,
                "url": look.url("/"),
            },
            "partOfSeason": {"@type": "CreativeWorkSeason", "seasonNumber": episode.season}
            if episode.season
            else None,
            "associatedMedia": {
                "@type": "MediaObject",
                "contentUrl": enclosure_url(look.base_url, audio),
                "encodingFormat": audio.mime_type,
                "contentSize": str(audio.size_bytes),
                "duration": _iso_duration(audio.duration_ms),
            }
            if audio is not None
            else None,
            "actor": [
                _filled({"@type": "Person", "name": credit.name, "url": credit.url})
                for credit in people
            ],
        }
    )


def person(
    look: Look, *, slug: str, name: str, bio: str, picture_url: str, links: Sequence[str]
) -> dict[str, Any]:
    """The page of somebody as a ProfilePage, which is about a Person."""
    url = look.url(f"/people/{slug}")
    about = {
        "@type": "Person",
        "@id": url,
        "name": name,
        "description": bio,
        "url": url,
        "image": picture_url,
        "sameAs": list(links),
    }
    return {"@context": _CONTEXT, "@type": "ProfilePage", "mainEntity": _filled(about)}


def breadcrumbs(look: Look, *steps: tuple[str, str]) -> dict[str, Any]:
    """The way from the show's home to a page: each step a path and what is there."""
    whole = (("/", look.show.title), *steps)
    return {
        "@context": _CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": look.url(path)}
            for position, (path, name) in enumerate(whole, start=1)
        ],
    }


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    """What is known of it."""
    return {key: value for key, value in data.items() if value not in (None, "", [])}


def moment(at: datetime) -> str:
    """A moment as ISO 8601 writes it, in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _iso_duration(duration_ms: int) -> str:
    """A length as ISO 8601 writes it."""
    seconds = max(1, round(duration_ms / 1000))
    return f"PT{seconds // 3600}H{seconds // 60 % 60}M{seconds % 60}S"
