"""The house: imports point one way, and some libraries belong to one room each."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "podhost"

# Lowest first. A module may import from its own floor and from those below. Modules that are not
# named make up the floor of the domain: shows, episodes, feeds and their like.
FLOORS = (
    {"podhost", "errors", "silence", "config"},
    {"formats"},
    {
        "models",
        "model_base",
        "model_imports",
        "db",
        "postgresql",
        "storage",
        "fetching",
        "file_fetching",
        "guarded_connections",
    },
    {"jobs", "changes"},
    {"<domain>"},
    {"instance"},
    {"logs", "traffic"},
    {"rate_limits"},
    {
        "catalogue",
        "catalogue_entries",
        "catalogue_rows",
        "side_files",
        "loading",
        "ready_answers",
        "audio_sources",
        "edge",
        "edge_walk",
        "hubs",
        "importing",
        "moves",
        "cut_over",
        "checks",
        "backup_archive",
        "backup_rows",
        "backup",
        "restore",
    },
    {"web", "job_runner", "import_worker", "worker"},
    {"app"},
    {"connections", "refusals", "shortcut", "processes", "startup", "server"},
    {
        "commands",
        "import_commands",
        "check_commands",
        "move_commands",
        "demo",
        "cli_options",
        "cli_backup",
        "cli_moving",
    },
    {"cli", "__main__"},
)
HOMES = {
    "starlette": {"web", "app"},
    "boto3": {"storage.s3", "storage.s3_clients"},
    "botocore": {"storage.s3", "storage.s3_clients", "storage.s3_answers"},
    "mutagen": {"formats.probe", "formats.tags", "formats.id3_writing", "formats.mp4_writing"},
    "av": {"formats.probe", "formats.tags"},
    # Whatever else reads an address that somebody gave would have no guard.
    "httpcore": {"fetching", "file_fetching", "guarded_connections"},
    "feedgen": {"formats.rss", "formats.podcast_namespace"},
    "duckdb": {"downloads"},
}
# The web's surfaces, one for each who asks, stand side by side and know nothing of each other.
SURFACES = {"delivery", "site", "studio", "api", "operations"}


def modules() -> Iterator[tuple[str, ast.Module]]:
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
    room = module.split(".")[0] or "podhost"
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
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
    rooms = {name.split(".")[0] for name in known} | {"podhost", "<domain>", "__main__"}
    assert set().union(*FLOORS) <= rooms
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
                assert other.split(".")[1] not in SURFACES, f"{name} imports {other}"


def test_every_module_says_what_it_owns() -> None:
    for name, tree in modules():
        assert ast.get_docstring(tree), f"{name} has no first sentence"


def test_no_module_is_longer_than_can_be_held_in_mind() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path.name
