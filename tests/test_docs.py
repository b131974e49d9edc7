"""What is documented is there, and what is there is documented."""

import re
from pathlib import Path

import pytest

from podhost import errors
from podhost.config import SETTINGS
from podhost.web.api import routes
from tests.cli.test_cli import all_commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_stands_in_the_readme_with_its_default_and_help(setting) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{setting.variable}`"))
    assert setting.help in row
    assert f"`{setting.default}`" in row if setting.default else "| |" in row


def test_no_setting_stands_in_the_readme_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `(PODHOST_\w+)`", README, re.MULTILINE))
    assert named == {setting.variable for setting in SETTINGS}


@pytest.mark.parametrize("path", list(all_commands()), ids=" ".join)
def test_every_command_stands_in_the_documentation(path: tuple[str, ...]) -> None:
    assert f"`podhost {' '.join(path)}" in "\n".join([README, *DOCS.values()])


@pytest.mark.parametrize("route", routes, ids=lambda route: route.path)
def test_every_route_stands_in_the_api_reference(route) -> None:
    assert route.path.replace(":path}", "}") in DOCS["api.md"]


def test_every_error_code_stands_in_the_api_reference() -> None:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.PodhostError):
            assert value.code == "internal" or f"`{value.code}`" in DOCS["api.md"]


def test_the_map_is_equal_to_the_code() -> None:
    house = README.split("## The house")[1].split("podhost/\n")[1].split("tests/ ")[0]
    named: dict[str, set[str]] = {}
    room = outer = ""
    for line in house.splitlines():
        if found := re.match(r"( +)([a-z_]+)/ ", line):
            # A room, or one inside the room that was named last.
            outer = room = found[2] if len(found[1]) == 2 else f"{outer}/{found[2]}"
            outer = outer.partition("/")[0]
        elif re.match(r"  \w", line):
            outer = room = ""
        elif re.match(r"    \w", line):
            room = room if room.count("/") == 0 else outer
        named.setdefault(room, set()).update(re.findall(r"([a-z0-9_]+)\.py", line))
    there: dict[str, set[str]] = {}
    for path in (ROOT / "podhost").rglob("*.py"):
        if "migrations" not in path.parts and not path.stem.startswith("__"):
            folder = path.parent.relative_to(ROOT / "podhost").as_posix()
            there.setdefault(folder.removeprefix("."), set()).add(path.stem)
    assert {room: names for room, names in named.items() if names} == there


def test_ci_runs_the_readmes_test_command() -> None:
    command = next(line for line in README.splitlines() if line.endswith(".venv/bin/pytest"))
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_constraints_name_no_index() -> None:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_links_between_documents_lead_somewhere() -> None:
    for name, text in {"../README.md": README, **DOCS}.items():
        folder = (ROOT / "docs" / name).parent
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / link).exists(), f"{name} links to {link}"


def test_every_pinned_package_stands_in_the_list_of_dependencies() -> None:
    pinned = re.findall(r"^([^#=\s]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    listed = re.findall(r"^\| (\S+) \| (\S+) \|", DOCS["dependencies.md"], re.M)
    # `.ci/dependencies > docs/dependencies.md`, in a fresh environment, writes it anew.
    assert dict(pinned).items() <= dict(listed).items()
