"""A planned import in words and as JSON: what comes, what is odd, what is asked.

It decides nothing, and everybody else's words are shown so that no terminal can take harm.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from podhost.formats.imported import (
    COMES,
    DRAFT,
    SECOND_COPY,
    ImportedEpisode,
    ImportedShow,
    Oddity,
)
from podhost.formats.text import shown
from podhost.importing.plans import FailedPlan, ImportPlan, outcomes

# So many places of one kind of oddity are named; --json has them all.
_NAMED_PLACES = 3
_MAX_KINDS = 20
# A connection that many have, for an idea of how long the audio takes.
_BITS_PER_SECOND = 50_000_000
_XML = {
    "strict": "correct XML",
    "repaired": "XML that is repaired without loss",
    "recovered": "damaged XML, of which text may be missing",
}


def describe_import(plan: ImportPlan | FailedPlan) -> Iterator[str]:
    """The report for a terminal, line by line."""
    if isinstance(plan, FailedPlan):
        yield f"{shown(plan.title) or plan.source}"
        yield f"  {plan.error}"
        return
    yield from _head(plan)
    yield ""
    yield "What will come"
    for line in (*_episodes(plan), *_show_parts(plan.show), *_tags(plan)):
        yield f"  {line}"
    yield from _oddities("What is odd, and what will be done", _told(plan.oddities, False))
    yield from _audio_notes(plan)
    yield from _oddities("What you are asked", _told(plan.oddities, True))


def import_answer(plan: ImportPlan | FailedPlan) -> dict[str, Any]:
    """The same for programs, with every episode: values that JSON has."""
    whole: dict[str, Any] = msgspec.to_builtins(plan)
    if isinstance(plan, ImportPlan):
        whole["episodes"] = dict(outcomes(plan.show))
    return whole


def refusals(plans: Sequence[ImportPlan | FailedPlan]) -> list[str]:
    """The sentences on why these imports may not start, those of a list with their titles."""
    found: list[str] = []
    for plan in plans:
        sentences = (plan.error,) if isinstance(plan, FailedPlan) else plan.refusals
        title = plan.title if isinstance(plan, FailedPlan) else plan.show.title
        label = f"{shown(title) or plan.source}: " if len(plans) > 1 else ""
        found += [label + sentence for sentence in sentences]
    return found


def _head(plan: ImportPlan) -> Iterator[str]:
    show = plan.show
    yield shown(show.title, 200)
    yield f"  from {plan.source}"
    for hop in plan.hops:
        yield f"  which sends on ({hop.status}) from {hop.url}"
    if plan.feed_url and plan.feed_url != plan.source:
        yield f"  read at {plan.feed_url}"
    pages = f", {plan.pages} pages" if plan.pages > 1 else ""
    hosted = f"; hosted with {plan.old_host} now" if plan.old_host else ""
    yield f"  {_bytes(plan.size_bytes)}{pages}, {_XML[plan.level]}{hosted}"


def _episodes(plan: ImportPlan) -> Iterator[str]:
    counts = outcomes(plan.show)
    total = len(plan.show.episodes)
    yield f"{counts[COMES]} of {_count(total, 'episode')}, each with its guid"
    if counts[DRAFT]:
        drafts = "a draft" if counts[DRAFT] == 1 else "drafts"
        yield f"{_count(counts[DRAFT], 'episode')} as {drafts}"
    if counts[SECOND_COPY]:
        copies = "a second copy" if counts[SECOND_COPY] == 1 else "second copies"
        yield f"{counts[SECOND_COPY]} left out as {copies}"
    dates = [e.published_at for e in plan.show.episodes if e.published_at is not None]
    if dates:
        yield f"dates from {min(dates):%Y-%m-%d} to {max(dates):%Y-%m-%d}"
    yield from _audio(plan)


def _audio(plan: ImportPlan) -> Iterator[str]:
    audio = plan.audio
    if audio.estimated_bytes is not None:
        told = "" if audio.told_count == audio.count else f", told for {audio.told_count} of them"
        minutes = round(audio.estimated_bytes * 8 / _BITS_PER_SECOND / 60)
        time = f"{minutes} minutes" if minutes > 1 else "a minute or less"
        yield (
            f"{_bytes(audio.estimated_bytes)} of audio in {_count(audio.count, 'file')}{told}: "
            f"{time} at 50 Mbit/s"
        )
    elif audio.count:
        yield f"{_count(audio.count, 'audio file')} of sizes that the feed does not tell"
    for prefix, count in audio.prefixes:
        yield f"audio straight from its server, without {prefix} in front ({count})"


def _show_parts(show: ImportedShow) -> Iterator[str]:
    values = (
        ("author", show.author),
        ("language", show.language),
        ("categories", "; ".join(" > ".join(filter(None, pair)) for pair in show.categories)),
        ("artwork", show.artwork_url),
        ("podcast:guid", show.podcast_guid),
        ("medium", show.medium if show.medium != "podcast" else None),
        ("license", show.license and (show.license.text or show.license.url)),
        ("mail of the owner, which stays private", show.mail),
    )
    for name, value in values:
        if value:
            yield f"{name}: {shown(value, 200)}"
    episodes = show.episodes
    places: tuple[ImportedShow | ImportedEpisode, ...] = (show, *episodes)
    parts: tuple[tuple[str, str, int], ...] = (
        ("person", "people", len({p.name for e in places for p in e.people})),
        ("transcript", "transcripts", sum(len(e.transcripts) for e in episodes)),
        (
            "chapter list",
            "chapter lists",
            sum(bool(e.chapters_url or e.chapters) for e in episodes),
        ),
        ("soundbite", "soundbites", sum(len(e.soundbites) for e in episodes)),
        ("picture", "pictures", len({e.artwork_url for e in episodes if e.artwork_url})),
        ("funding link", "funding links", sum(len(e.funding) for e in places)),
        ("season", "seasons", len({e.season for e in episodes if e.season})),
    )
    named = [f"{count} {one if count == 1 else many}" for one, many, count in parts if count]
    if named:
        yield ", ".join(named)
    ends = sum(bool(e.boilerplate_html) for e in episodes)
    if ends:
        yield f"without the old host's words below the notes ({ends}); they are kept apart"


def _tags(plan: ImportPlan) -> Iterator[str]:
    places: tuple[ImportedShow | ImportedEpisode, ...] = (plan.show, *plan.show.episodes)
    podcast = Counter(tag.name for place in places for tag in place.tags)
    if podcast:
        yield f"with all that is in them: {_counted(podcast.most_common())}"
    unknown = Counter(_tag_name(xml) for place in places for xml in place.unknown_xml)
    if unknown:
        names = _counted(unknown.most_common())
        yield f"tags that podhost does not know, kept as they are: {names}"
    if plan.show.left_out:
        yield f"left out, because nobody reads them: {_counted(plan.show.left_out)}"


def _audio_notes(plan: ImportPlan) -> Iterator[str]:
    audio = plan.audio
    if not (audio.problems or audio.insertion_signs):
        return
    yield ""
    yield f"The audio of {_count(audio.looked_at, 'episode')}, as the old host has it"
    for problem in audio.problems:
        yield f"  {problem}"
    if audio.insertion_signs:
        signs = "; ".join(audio.insertion_signs)
        yield f"  Advertisements may be put into it at each request: {signs}."
        yield "  They would stay for ever. Ask the old host for the audio without them."


def _oddities(title: str, kinds: list[tuple[Oddity, list[Oddity]]]) -> Iterator[str]:
    if kinds:
        yield ""
        yield title
    for first, all_of_it in kinds[:_MAX_KINDS]:
        yield f"  {first.message} {first.repair}"
        places = [_place(oddity) for oddity in all_of_it if oddity.place not in ("feed", "show")]
        details = [oddity.detail for oddity in all_of_it if oddity.place in ("feed", "show")]
        for place in [*places[:_NAMED_PLACES], *filter(None, details[:_NAMED_PLACES])]:
            yield f"    {place}"
        if len(places) > _NAMED_PLACES:
            yield f"    and {len(places) - _NAMED_PLACES} more"
    if len(kinds) > _MAX_KINDS:
        yield f"  and {len(kinds) - _MAX_KINDS} other kinds; --json has them all"


def _told(oddities: Sequence[Oddity], is_question: bool) -> list[tuple[Oddity, list[Oddity]]]:
    """Oddities of one kind together, those that are there most often first."""
    kinds: dict[tuple[str, str], list[Oddity]] = {}
    for oddity in oddities:
        if oddity.is_question is is_question:
            kinds.setdefault((oddity.message, oddity.repair), []).append(oddity)
    return [(found[0], found) for found in sorted(kinds.values(), key=lambda all_: -len(all_))]


def _place(oddity: Oddity) -> str:
    return f"{oddity.place}: {oddity.detail}" if oddity.detail else oddity.place


def _tag_name(xml: str) -> str:
    return shown(xml[1:80].split(maxsplit=1)[0].rstrip("/>").partition(">")[0], 40)


def _counted(names: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{shown(name, 40)} ({count})" for name, count in names)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bytes(size_bytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return _count(size_bytes, "byte")
