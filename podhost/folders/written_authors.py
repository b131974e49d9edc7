"""What the files of articles say of their authors, and to which articles it counts; no rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET

from podhost.folders.contents import ShowFolder
from podhost.folders.files import FolderFile
from podhost.folders.written import ArticleFiles
from podhost.formats.showfolder import PersonEntry
from podhost.people import PersonLink, name_key
from podhost.written.articles import AuthorInput


def author_inputs(
    entries: Sequence[PersonEntry],
    said: Mapping[str, PersonEntry],
    picture_ids: Mapping[str, str | None],
) -> list[AuthorInput]:
    """The authors of one file, each with what all files of the folder say of that name."""
    found = []
    for entry in entries:
        known = said.get(name_key(entry.name), entry)
        found.append(
            AuthorInput(
                name=entry.name,
                url=known.url,
                bio=known.bio,
                image_url=known.image if known.image and "://" in known.image else None,
                artwork_id=picture_ids.get(known.image or ""),
                links=[PersonLink(url=link.url, name=link.name or "") for link in known.links]
                or UNSET,
            )
        )
    return found


def said_of_authors(folder: ShowFolder, now: datetime) -> dict[bool, dict[str, PersonEntry]]:
    """What the articles say of each author, by the name's key: the last one that says anything
    counts, or two files would take turns. For articles that are out (True) only those count that
    are out too, for the others (False) all."""
    said: dict[bool, dict[str, PersonEntry]] = {True: {}, False: {}}
    for files in folder.written.articles:
        for entry in files.source.authors:
            if entry.url or entry.bio or entry.image or entry.links:
                said[False][name_key(entry.name)] = entry
                if is_dated_out(files, folder.show.time_zone, now):
                    said[True][name_key(entry.name)] = entry
    return said


def author_pictures(folder: ShowFolder) -> dict[str, FolderFile]:
    """Pictures of authors by the paths in the texts."""
    return {
        name: file for files in folder.written.articles for name, file in files.pictures.items()
    }


def dated_at(files: ArticleFiles, time_zone: str) -> datetime | None:
    """The date of an article, aware, whatever its status says."""
    date = files.source.date
    if date is None or date.tzinfo is not None:
        return date
    return date.replace(tzinfo=ZoneInfo(time_zone))


def is_dated_out(files: ArticleFiles, time_zone: str, now: datetime) -> bool:
    """Whether the article is out by what its file says."""
    at = dated_at(files, time_zone)
    return files.source.status is None and at is not None and at <= now
