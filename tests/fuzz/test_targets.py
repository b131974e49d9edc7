"""Each fuzz target over its corpus, always; and fuzzed: for seconds in every run, for ten minutes
each with --long. The short run always begins with the same seed, so that what it finds comes from
the change under test and not from luck; the search for what nobody thought of is the long one.

Atheris takes over the process in which it runs and may end it, so it has one of its own.
"""

import importlib.util
import os
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, MOST_CORPUS_BYTES, MOST_SEED_BYTES, TARGETS

SHORT_SECONDS = 2
LONG_SECONDS = 600
MOST_MEMORY_MB = 2048
INPUTS = [
    pytest.param(path, id=f"{path.parent.name}/{path.name}")
    for target in TARGETS
    for path in sorted((CORPUS / target).iterdir())
]


@pytest.mark.parametrize("path", INPUTS)
def test_an_input_of_the_corpus_shows_no_bug(path: Path) -> None:
    one_input = import_module(f"tests.fuzz.{path.parent.name}").one_input
    one_input(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_takes_nothing_at_all(target: str) -> None:
    import_module(f"tests.fuzz.{target}").one_input(b"")


def test_the_corpus_is_small() -> None:
    sizes = {path: path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()}
    assert max(sizes.values()) <= MOST_SEED_BYTES
    assert sum(sizes.values()) <= MOST_CORPUS_BYTES


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.timeout(LONG_SECONDS + 300)
@pytest.mark.parametrize("target", TARGETS)
def test_fuzzing_finds_nothing(target: str, long: bool, seed: int, tmp_path: Path) -> None:
    seconds = LONG_SECONDS if long else SHORT_SECONDS
    # Linux counts what we have ever held as the child's, and libFuzzer looks at that.
    ours_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    arguments = [target, str(seconds), f"--keep={tmp_path}", f"-seed={max(1, seed) if long else 1}"]
    arguments.append(f"-rss_limit_mb={ours_mb + MOST_MEMORY_MB}")
    # Warnings are libraries' own affair here, and the child is no test.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", *arguments],
        cwd=CORPUS.parents[2],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 240,
    )
    findings = [path.read_bytes() for path in tmp_path.glob("finding-*")]
    assert ended.returncode == 0 and not findings, f"{findings}\n{ended.stderr[-4000:]}"
    assert "stat::number_of_executed_units" in ended.stderr
