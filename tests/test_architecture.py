"""The house: imports point one way, and some libraries belong to one room each."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "podhost"

# Lowest first. A module may import from its own floor and from those below. A room stands for all
# that is in it, but for modules that are named themselves. Those that are not named make up the
# floor of the domain: shows, episodes, feeds and their like.
FLOORS = (
    {"podhost", "errors", "silence", "config", "mail_settings"},
    {"formats"},
    {"models", "db", "storage", "fetching"},
    {"jobs", "changes"},
    {"<domain>"},
    {"instance"},
    {"logs", "traffic"},
    {"rate_limits", "accounts.login_limits", "accounts.password_proof"},
    {
        "catalogue",
        "edge",
        "guests.jobs",
        "feeds.hubs",
        "mail.sending",
        "newsletter.bounces",
        "newsletter.sending",
        "importing",
        "doctor.diagnoses",
        "moves",
        "checks",
        "backup",
    },
    {"web", "jobs.runner", "importing.worker", "worker"},
    {"app"},
    {"serving"},
    {"commands", "cli.options", "cli.backup", "cli.moving", "cli.storage", "cli.accounts"},
    {"cli", "__main__"},
)
HOMES = {
    "starlette": {"web", "app"},
    "boto3": {"storage.s3", "storage.s3_clients"},
    "botocore": {"storage.s3", "storage.s3_clients", "storage.s3_answers", "storage.s3_cors"},
    "mutagen": {"formats.probe", "formats.tags", "formats.id3_writing", "formats.mp4_writing"},
    "av": {"formats.probe", "formats.tags", "formats.clips", "formats.waveforms"},
    # Whatever else reads an address that somebody gave would have no guard.
    "httpcore": {"fetching"},
    "feedgen": {"formats.rss", "formats.podcast_namespace"},
    "duckdb": {"downloads"},
}
# The web's surfaces, one for each who asks, stand side by side and know nothing of each other.
SURFACES = {"delivery", "site", "studio", "api", "operations"}


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(read_modules())


def read_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            parts = [*path.relative_to(PACKAGE).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            yield ".".join(parts), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> int:
    name = module or "podhost"
    while name:
        for number, rooms in enumerate(FLOORS):
            if name in rooms:
                return number
        name = name.rpartition(".")[0]
    return next(number for number, rooms in enumerate(FLOORS) if "<domain>" in rooms)


def known_modules() -> set[str]:
    return {name for name, _ in modules()}


def target(imported: str, known: set[str]) -> str | None:
    """The module of ours that is meant, without the package's name; None for foreign ones."""
    if imported != "podhost" and not imported.startswith("podhost."):
        return None
    parts = imported.split(".")[1:]
    while parts and ".".join(parts) not in known:
        parts.pop()
    return ".".join(parts)


def test_imports_point_downwards() -> None:
    known = known_modules()
    for name, tree in modules():
        for imported in imports(tree):
            other = target(imported, known)
            if other is not None and other not in ("", name):
                assert floor(other) <= floor(name), f"{name} imports {other}, which is above it"


def test_every_place_is_that_of_a_module_which_is_there() -> None:
    known = known_modules()
    assert set().union(*FLOORS) <= known | {"podhost", "<domain>", "__main__"}
    assert {home for homes in HOMES.values() for home in homes} <= known


def test_a_library_has_one_home() -> None:
    for name, tree in modules():
        for imported in imports(tree):
            homes = HOMES.get(imported.split(".")[0])
            if homes is not None:
                at_home = name in homes or name.split(".")[0] in homes
                assert at_home, f"{name} imports {imported}"


def test_the_surfaces_of_the_web_do_not_import_each_other() -> None:
    known = known_modules()
    for name, tree in modules():
        for imported in imports(tree):
            other = target(imported, known) or ""
            if name.startswith("web.") and other.startswith("web.") and other != name:
                surface = other.split(".")[1]
                is_own = surface == name.split(".")[1]
                assert is_own or surface not in SURFACES, f"{name} imports {other}"


def test_no_room_calls_a_foreign_thing_by_the_name_of_its_own_module() -> None:
    # Whoever loads the module puts it in the place of the other.
    known = known_modules()
    for name, tree in modules():
        for node in tree.body:
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                own = f"{name}.{alias.asname or alias.name}"
                is_own = node.module == f"podhost.{name}"
                assert own not in known or is_own, f"{name} calls something {own}"


def test_every_module_says_what_it_owns() -> None:
    for name, tree in modules():
        assert ast.get_docstring(tree), f"{name} has no first sentence"


def test_no_module_is_longer_than_can_be_held_in_mind() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path.name
