"""What a show's folder holds: which files make up the show and each of its episodes.

It reads what the texts say and leaves all other content alone; it knows no rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from podhost.errors import Invalid
from podhost.folders.files import FolderFile, MissingError, find_file, listed, read_bytes, reason
from podhost.folders.site import read_site_css
from podhost.folders.written import PICTURE_ENDINGS, WrittenFolder, read_written
from podhost.formats import front_matter, showfolder
from podhost.formats.folder_addresses import (
    FILE_LIMIT_BYTES,
    FILE_NAME,
    NO_ADDRESSES,
    Addresses,
    read_addresses,
)
from podhost.formats.folder_site import SiteEntry
from podhost.formats.languages import is_language_code
from podhost.formats.showfolder import EpisodeFile, PersonEntry, ShowFile
from podhost.formats.text import shown

SHOW_FILE = "show.toml"
# Where several lie side by side under one name, the first is published. What a file really is,
# its content tells.
AUDIO_ENDINGS = (
    "mp3", "m4a", "mp4", "m4b", "m4v", "mov", "aac",
    "ogg", "oga", "opus", "flac", "wav", "aif", "aiff",
)  # fmt: skip
TRANSCRIPT_ENDINGS = ("vtt", "srt")
CHAPTERS_ENDINGS = ("json", "psc", "xml", "vtt", "srt", "txt")
_DEFAULT_ARTWORK = "artwork.jpg"
# All texts of a folder are held in memory at once.
TEXTS_LIMIT_BYTES = 200_000_000
# Where names of audio are searched for in texts that cannot be used.
_SEARCHED_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class TranscriptFile:
    """A transcript, and its language where its name says it (hello.es.vtt)."""

    file: FolderFile
    language: str | None


@dataclass(frozen=True, slots=True)
class EpisodeFiles:
    """The files of one episode and what its text says; `text_file` None: there is only audio."""

    stem: str
    text_file: FolderFile | None
    text: str
    source: EpisodeFile
    audio: FolderFile | None = None
    artwork: FolderFile | None = None
    chapters: FolderFile | None = None
    transcripts: tuple[TranscriptFile, ...] = ()
    # People's pictures by the path that the text gives.
    pictures: Mapping[str, FolderFile] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file that stands for the episode in sentences."""
        return shown(self.text_file.name if self.text_file else self.audio_name)

    @property
    def audio_name(self) -> str:
        """What its audio file is called."""
        return self.audio.name if self.audio else self.stem


@dataclass(frozen=True, slots=True)
class ShowFolder:
    """Everything that a show's folder holds. `problems` and `warnings` are sentences that name
    the file; a file with a problem is in no episode."""

    root: Path
    show: ShowFile
    text_file: FolderFile
    text: str
    artwork: FolderFile | None
    pictures: Mapping[str, FolderFile]
    episodes: tuple[EpisodeFiles, ...]
    addresses: Addresses
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    written: WrittenFolder = field(default_factory=WrittenFolder)
    # With the style sheet itself, where show.toml has its path.
    site: SiteEntry | None = None


def find_shows(folder: Path) -> list[Path]:
    """The folders of shows: `folder` itself, or those right inside it, by name.

    Raises Invalid with a sentence when there are none, or when one lies elsewhere by a link.
    """
    if not folder.is_dir():
        raise Invalid(f"There is no folder {shown(str(folder))}.")
    if (folder / SHOW_FILE).is_file():
        return [folder]
    root = folder.resolve()
    found = []
    for inner in listed(folder):
        if inner.name.startswith(".") or not (inner / SHOW_FILE).is_file():
            continue
        if not inner.resolve().is_relative_to(root):
            raise Invalid(
                f"{shown(inner.name)} is a link to a folder outside of {shown(str(folder))}; "
                "publish that folder itself."
            )
        found.append(inner)
    if not found:
        raise Invalid(
            f"There is no {SHOW_FILE} in {shown(str(folder))} nor in the folders right inside it; "
            "a show's folder needs one with at least a title."
        )
    return found


def read_folder(folder: Path) -> ShowFolder:
    """Read a show's folder. Raises Invalid when its show.toml cannot be used."""
    try:
        root = folder.resolve(strict=True)
        text_file = find_file(root, SHOW_FILE)
        text = showfolder.decode_text(read_bytes(text_file, front_matter.MAX_FILE_BYTES))
        show = showfolder.read_show(text)
        pictures = _pictures(root, show.people)
        artwork = _show_artwork(root, show)
        written = read_written(root, show.sponsors)
        site = read_site_css(root, show.site)
    except (OSError, RuntimeError) as error:
        raise Invalid(f"{SHOW_FILE} cannot be read: {reason(error)}.") from None
    except Invalid as error:
        raise Invalid(f"{SHOW_FILE}: {error.message}", error.fields) from None
    addresses = _addresses(root)
    reading = _Reading(root)
    episodes = tuple(reading.episodes())
    return ShowFolder(
        root=root,
        show=show,
        text_file=text_file,
        text=text,
        artwork=artwork,
        pictures=pictures,
        episodes=episodes,
        addresses=addresses,
        problems=(*reading.problems, *written.problems),
        warnings=tuple(reading.warnings),
        written=written,
        site=site,
    )


class _Reading:
    """One walk over a folder's files, grouped by their names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[str] = []
        self.warnings: list[str] = []
        # From name without ending, and ending in lower case, to the name.
        self._names: dict[tuple[str, str], str] = {}
        self._folders: set[tuple[str, str]] = set()
        for path in listed(root):
            if path.name.startswith(".") or path.name.lower() == "readme.md":
                continue
            stem, _, ending = path.name.rpartition(".")
            if path.is_dir():
                self._folders.add((stem, ending))
            else:
                self._names[stem, ending.lower()] = path.name
        self._texts = {stem: name for (stem, end), name in self._names.items() if end == "md"}
        self._sounds = {stem for stem, end in self._names if end in AUDIO_ENDINGS}
        self._languages = self._by_language()
        # Texts that could not be used: audio that they name is not theirs to lose.
        self._broken = ""
        self._text_bytes = 0
        self._claimed: set[Path] = set()

    def episodes(self) -> Iterator[EpisodeFiles]:
        """Every episode that can be used, those with a text first, each kind by name."""
        for stem, name in sorted(self._texts.items()):
            try:
                found = self._with_text(stem, name)
            except Invalid as error:
                self.problems.append(f"{shown(name)}: {error.message}")
                continue
            if found.audio is not None:
                self._claimed.add(found.audio.path)
            if found.audio is not None or front_matter.find_block(found.text).syntax:
                yield found
            else:
                self.warnings.append(
                    f"{shown(name)} has neither front matter nor audio beside it; it is left alone."
                )
        for stem in sorted(self._sounds - self._texts.keys()):
            try:
                bare = self._bare(stem)
            except Invalid as error:
                self.problems.append(f"{shown(stem)}: {error.message}")
                continue
            if bare is not None:
                yield bare

    def _with_text(self, stem: str, name: str) -> EpisodeFiles:
        try:
            file = find_file(self.root, name)
            data = read_bytes(file, front_matter.MAX_FILE_BYTES)
        except OSError as error:
            raise Invalid(f"It cannot be read: {reason(error)}.") from None
        try:
            self._count_text(len(data))
            text = showfolder.decode_text(data)
            return self._gathered(stem, file, text, showfolder.read_episode(text))
        except Invalid as error:
            # What names the audio stands at the top.
            if len(self._broken) <= _SEARCHED_CHARS:
                top = data[: 2 * front_matter.MAX_BLOCK_BYTES].decode("utf-8", "replace")
                self._broken += f"\n{top}"
            place = line_of(text, error.key) if isinstance(error, MissingError) else ""
            raise Invalid(f"{place}{error.message}") from None

    def _count_text(self, size_bytes: int) -> None:
        self._text_bytes += size_bytes
        if self._text_bytes > TEXTS_LIMIT_BYTES:
            limit = TEXTS_LIMIT_BYTES // 10**6
            raise Invalid(f"The texts of the folder are larger than {limit} MB together.")

    def _bare(self, stem: str) -> EpisodeFiles | None:
        """Audio without a text, unless a text calls it its own."""
        found = self._gathered(stem, None, "", EpisodeFile())
        assert found.audio is not None
        name = found.audio.name
        if found.audio.path in self._claimed:
            return None
        if (stem, "md") in self._folders:
            text = shown(f"{stem}.md")
            raise Invalid(f"{text} is a folder, and the episode's text belongs there; rename it.")
        if len(self._broken) > _SEARCHED_CHARS or name in self._broken:
            self.warnings.append(f"{shown(name)} waits until the text file that names it is right.")
            return None
        return found

    def _gathered(
        self, stem: str, file: FolderFile | None, text: str, source: EpisodeFile
    ) -> EpisodeFiles:
        audio, warnings = self._audio(stem, source)
        return EpisodeFiles(
            stem=stem,
            text_file=file,
            text=text,
            source=source,
            audio=audio,
            artwork=self._one("artwork", source.artwork, self._side(stem, PICTURE_ENDINGS)),
            chapters=self._one(
                "chapters", source.chapters, self._side(f"{stem}.chapters", CHAPTERS_ENDINGS)
            ),
            transcripts=self._transcripts(stem, source),
            pictures=_pictures(self.root, source.guests, "guests")
            | _pictures(self.root, source.people),
            warnings=tuple(warnings),
        )

    def _audio(self, stem: str, source: EpisodeFile) -> tuple[FolderFile | None, list[str]]:
        beside = self._side(stem, AUDIO_ENDINGS)
        chosen = self._one("audio", source.audio, beside)
        unused = [shown(name) for name in beside if chosen is None or name != chosen.name]
        if chosen is None or not unused:
            return chosen, []
        return chosen, [f"{', '.join(unused)} is not used: the audio is {shown(chosen.name)}."]

    def _transcripts(self, stem: str, source: EpisodeFile) -> tuple[TranscriptFile, ...]:
        if source.transcripts:
            named = [(f"transcripts[{n}]", name) for n, name in enumerate(source.transcripts)]
        else:
            beside = self._side(stem, TRANSCRIPT_ENDINGS) + self._languages.get(stem, [])
            named = [("transcripts", name) for name in beside]
        found = [(find_file(self.root, name, key), _language(name)) for key, name in named]
        return tuple({file.path: TranscriptFile(file, code) for file, code in found}.values())

    def _one(self, key: str, named: str | None, beside: Sequence[str]) -> FolderFile | None:
        """The file that the text names, else the first of those beside it."""
        name = named or (beside[0] if beside else None)
        return find_file(self.root, name, key) if name is not None else None

    def _side(self, stem: str, endings: Sequence[str]) -> list[str]:
        return [self._names[stem, end] for end in endings if (stem, end) in self._names]

    def _by_language(self) -> dict[str, list[str]]:
        """Names of transcripts with a language in them, by the stem before it."""
        found: dict[str, list[str]] = {}
        for (stem, end), name in sorted(self._names.items()):
            whole, _, language = stem.rpartition(".")
            is_own = stem in self._texts or stem in self._sounds
            if end in TRANSCRIPT_ENDINGS and whole and not is_own and is_language_code(language):
                # WebVTT before SRT, as apps prefer.
                found.setdefault(whole, []).append(name)
        return {
            stem: sorted(names, key=lambda name: not name.lower().endswith(".vtt"))
            for stem, names in found.items()
        }


def _pictures(
    root: Path, people: Sequence[PersonEntry], key: str = "people"
) -> dict[str, FolderFile]:
    return {
        person.image: find_file(root, person.image, f"{key}[{number}].image")
        for number, person in enumerate(people)
        if person.image is not None and "://" not in person.image
    }


def _show_artwork(root: Path, show: ShowFile) -> FolderFile | None:
    if show.artwork != _DEFAULT_ARTWORK:
        return find_file(root, show.artwork)
    for ending in PICTURE_ENDINGS:
        name = f"artwork.{ending}"
        if (root / name).exists() or (root / name).is_symlink():
            return find_file(root, name)
    return None


def _addresses(root: Path) -> Addresses:
    if not (root / FILE_NAME).exists() and not (root / FILE_NAME).is_symlink():
        return NO_ADDRESSES
    try:
        return read_addresses(read_bytes(find_file(root, FILE_NAME), FILE_LIMIT_BYTES))
    except OSError as error:
        raise Invalid(f"{FILE_NAME} cannot be read: {reason(error)}.") from None
    except Invalid as error:
        raise Invalid(f"{FILE_NAME}: {error.message}") from None


def _language(name: str) -> str | None:
    language = name.rpartition(".")[0].rpartition(".")[2].lower()
    return language if "." in name.rpartition(".")[0] and is_language_code(language) else None


def line_of(text: str, key: str) -> str:
    """ "Line 7: " for the place where a text's front matter says `key`; "" where it does not."""
    lines = front_matter.read_block(text, front_matter.find_block(text)).lines
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return f"Line {lines[key]}: " if key else ""
