"""Which targets there are, where their corpus lies, and how far an input may go."""

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
# Each target, and the packages whose branches guide it.
INSTRUMENTED = {
    "chapters": ("podhost.formats",),
    "feeds": ("podhost.formats",),
    "folders": ("podhost.formats", "podhost.folders", "yaml"),
    "probe": ("podhost.formats", "mutagen"),
    "ranges": ("podhost.web.responses",),
    "transcripts": ("podhost.formats",),
}
TARGETS = tuple(INSTRUMENTED)
# libFuzzer takes 4 KB where nothing is said; a second of sound does not fit into that.
MOST_BYTES = {"probe": 32_768}
# The slowest input of the corpus takes a tenth of a second, on a machine with nothing else to do.
INPUT_SECONDS = 20
MOST_SEED_BYTES = 20_000
MOST_CORPUS_BYTES = 500_000
