"""Fuzzes one target with atheris: `python -m tests.fuzz.run TARGET [SECONDS] [libFuzzer options]`.

It takes over its process, so tests start it as a child. New inputs go to a temporary folder, or to
the one that is named with --keep=FOLDER; an input that raises lies in the folder that is printed.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

import atheris

from tests.fuzz.targets import CORPUS, INPUT_SECONDS, INSTRUMENTED, MOST_BYTES


def main() -> None:
    """Fuzz until the time is up or something raises, which ends the process with an error."""
    target, seconds, *options = sys.argv[1:]
    kept = [option.removeprefix("--keep=") for option in options if option.startswith("--keep=")]
    options = [option for option in options if not option.startswith("--keep=")]
    with atheris.instrument_imports(include=[*INSTRUMENTED[target]]):
        one_input = import_module(f"tests.fuzz.{target}").one_input
    new = Path(kept[0] if kept else tempfile.mkdtemp(prefix=f"podhost-fuzz-{target}-"))
    new.mkdir(parents=True, exist_ok=True)
    print(f"new inputs and findings: {new}", flush=True)
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={MOST_BYTES.get(target, 8192)}",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={new}/finding-",
        *options,
        str(new),
        str(CORPUS / target),
    ]
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
