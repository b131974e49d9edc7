"""What the feed doctor finds, as hosts of shows here read it, and where it is mended.

The doctor speaks of anybody's feed, and of its elements; podhost writes these by itself. What has
no words here is said in the doctor's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from podhost.formats.doctor_rules import Finding, Severity
from podhost.models import Show
from podhost.web.studio.show_fields import N_


@dataclass(frozen=True, slots=True)
class Advice:
    """What is wrong and what to do, in a host's words; `field` of the settings mends it."""

    text: str
    field: str = ""
    is_about_episodes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One finding as a page shows it; sentences of the doctor's own are not translated.

    `episodes` are places from the top of the feed, counted from 1.
    """

    severity: Severity
    text: str
    fix: str = ""
    field: str = ""
    place: str = ""
    episodes: tuple[int, ...] = ()


def _episode(text: str) -> Advice:
    return Advice(text, is_about_episodes=True)


ADVICE: Mapping[str, Advice] = {
    "feed-waiting": Advice(N_("The feed is being made; look again in a moment.")),
    "feed-large": Advice(
        N_("The feed is so large that some apps give up. Let older episodes have short notes."),
        "slim_after",
    ),
    "feed-too-large": Advice(
        N_("The feed is too large for some apps. Let older episodes have short notes."),
        "slim_after",
    ),
    "episodes-too-many": Advice(N_("Apple shows the newest 2,000 episodes only.")),
    "episodes-none": Advice(
        N_("There is no episode yet. Directories want one; a trailer will do.")
    ),
    "list-with-items": Advice(
        N_("The medium is a list, and lists have no episodes of their own."), "medium"
    ),
    "paging-older": Advice(
        N_("Apple and Spotify see the newest page of the feed only."), "feed_page_size"
    ),
    "title-missing": Advice(N_("The show has no title."), "title"),
    "description-missing": Advice(N_("The show has no description."), "description"),
    "language-missing": Advice(N_("The show does not say its language."), "language"),
    "language-unknown": Advice(N_("Apple does not know the show's language."), "language"),
    "image-missing": Advice(N_("The show has no artwork."), "artwork"),
    "category-missing": Advice(N_("The show has no category."), "categories"),
    "categories-many": Advice(
        N_("Apple uses the first category alone; three are enough."), "categories"
    ),
    "author-missing": Advice(N_("The show does not say who makes it."), "author"),
    "owner-missing": Advice(
        N_(
            "There is no owner's e-mail. Directories write to it to see that the show is yours; "
            "you can take it out again afterwards."
        ),
        "owner_email",
    ),
    "owner-invalid": Advice(N_("The owner's e-mail is no address."), "owner_email"),
    "moved": Advice(
        N_("The feed says that the show has moved elsewhere. Apps follow that."), "new_feed_url"
    ),
    "hidden": Advice(N_("Directories are asked not to list this show."), "blocked"),
    "ended": Advice(N_("Directories are told that the show has ended."), "complete"),
    "copyright-form": Advice(
        N_("The copyright should be a name alone, without sign or year."), "copyright"
    ),
    "locked-owner-public": Advice(
        N_("Everybody can read the e-mail address in the lock; it attracts spam."), "locked_owner"
    ),
    "episode-title-number": _episode(
        N_("A title begins with the episode's number. Apps show the number beside it already.")
    ),
    "number-missing": _episode(N_("The show is a serial, and an episode has no number.")),
    "number-twice": _episode(N_("Two episodes of a season have the same number.")),
    "notes-missing": _episode(N_("An episode has no notes; Spotify wants some.")),
    "enclosure-twice": _episode(N_("Two episodes have the same audio; Apple leaves one out.")),
    "date-twice": _episode(N_("Two episodes have the same date; apps put them in any order.")),
    "date-future": _episode(N_("An episode is dated ahead; some apps hide it.")),
    "guid-digits": _episode(N_("The guid of an episode is a bare number. Leave it as it is.")),
    "guid-long": _episode(N_("The guid of an episode is very long. Leave it as it is.")),
    "guid-spaces": _episode(
        N_("There are spaces around the guid of an episode. Leave it as it is.")
    ),
    "persons-replaced": _episode(
        N_("An episode names people but no host; the show's hosts are not named there.")
    ),
    "soundbite-length": _episode(N_("A soundbite should last 15 to 120 seconds.")),
    "soundbite-outside": _episode(N_("A soundbite ends after the audio does.")),
    "feed-unreachable": Advice(N_("The feed cannot be reached from here under its own address.")),
    "url-http": Advice(
        N_("Addresses in the feed are not encrypted; have this podhost served under https.")
    ),
    "feed-http": Advice(N_("The feed's address is not encrypted; use https.")),
    "audio-unreachable": _episode(N_("The audio of an episode cannot be reached.")),
    "artwork-unreachable": Advice(N_("The artwork cannot be reached."), "artwork"),
    "artwork-size": Advice(N_("The artwork should have 1400 to 3000 pixels."), "artwork"),
    "artwork-heavy": Advice(N_("The artwork is a large file; Apple wants less."), "artwork"),
}

# What shows and episodes may both have, where it is an episode's.
_ALSO_OF_EPISODES: Mapping[str, Advice] = {
    "hidden": _episode(N_("Directories are asked to leave an episode out.")),
}

# What the feed has a stand-in for, so that the doctor does not miss it.
_NO_CATEGORY = N_("Choose a category; until then the feed says Society & Culture.")
_NO_DESCRIPTION = N_("Write a description; until then it is the title.")
_NO_AUTHOR = N_("Say who makes the show; until then it is the title.")
_NO_ARTWORK = N_("Give the show artwork of its own; a plain pattern stands in for it.")
_LED_AWAY = N_("The feed leads to another host; what is published here reaches nobody.")


def stand_ins(show: Show) -> Sequence[Remark]:
    """What the show's feed has something plain for, until its host says something better."""
    missing = (
        (not show.categories, _NO_CATEGORY, "categories"),
        (not show.description, _NO_DESCRIPTION, "description"),
        (not show.author, _NO_AUTHOR, "author"),
        (show.artwork is None or show.artwork.is_placeholder, _NO_ARTWORK, "artwork"),
        (show.redirect_to is not None, _LED_AWAY, "moved_to"),
    )
    return [
        Remark(severity="warning", text=text, field=field)
        for is_missing, text, field in missing
        if is_missing
    ]


def remark_of(finding: Finding) -> Remark:
    """A finding of the doctor in a host's words, where there are some."""
    episodes = tuple(_episode_numbers(finding.place))
    advice = _ALSO_OF_EPISODES.get(finding.rule) if episodes else None
    advice = advice or ADVICE.get(finding.rule)
    if advice is None:
        return Remark(
            severity=finding.severity,
            text=finding.message,
            fix=finding.fix,
            place=finding.place if episodes else "",
            episodes=episodes,
        )
    return Remark(
        severity=finding.severity,
        text=advice.text,
        # Why a server did not answer is known to nobody else.
        fix=finding.message if finding.rule.endswith("-unreachable") else "",
        field=advice.field,
        place=finding.place if episodes else "",
        episodes=episodes,
    )


def distinct(remarks: Iterable[Remark]) -> list[Remark]:
    """Those that say the same of the whole show are said once."""
    kept: dict[str, Remark] = {}
    for remark in remarks:
        # Of what is wrong everywhere, nobody needs the episodes.
        known = kept.get(remark.text)
        if known is None:
            kept[remark.text] = remark
        elif not known.episodes or not remark.episodes:
            kept[remark.text] = replace(known, episodes=(), place="")
        else:
            numbers = dict.fromkeys((*known.episodes, *remark.episodes))
            kept[remark.text] = replace(known, episodes=tuple(numbers))
    return list(kept.values())


def _episode_numbers(place: str) -> Sequence[int]:
    """The numbers in “episode 3, “Low water”; episode 4; and 7 more”."""
    found = []
    for part in place.split("; "):
        word, _, rest = part.partition(" ")
        number = rest.partition(",")[0]
        if word == "episode" and number.isascii() and number.isdigit():
            found.append(int(number))
    return found
