"""Settings: each from its variable, from a file, from a flag; wrong ones in a sentence."""

from pathlib import Path

import pytest

from podhost.config import SETTINGS, read_settings, unknown_variables
from podhost.errors import Invalid
from podhost.instance import open_instance


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = read_settings({"PODHOST_DATA": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/podhost.sqlite3"
    assert settings.storage == f"file://{tmp_path}/storage"
    assert not settings.has_own_base_url


def test_a_hub_is_named_letter_by_letter_and_a_base_without_its_slash() -> None:
    hubs = "https://hub.example/ https://other.example/publish/"
    given = {"PODHOST_HUBS": hubs, "PODHOST_BASE_URL": "https://pod.example/"}
    settings = read_settings(given)
    assert settings.hubs == ("https://hub.example/", "https://other.example/publish/")
    assert settings.base_url == "https://pod.example"


def test_a_flag_wins_over_the_environment() -> None:
    assert read_settings({"PODHOST_PORT": "1"}, port=2, host=None).port == 2


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush\n")
    assert read_settings({"PODHOST_METRICS_TOKEN_FILE": str(path)}).metrics_token == "hush"


def test_a_setting_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="PODHOST_METRICS_TOKEN_FILE"):
        read_settings({"PODHOST_METRICS_TOKEN": "a", "PODHOST_METRICS_TOKEN_FILE": "b"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PODHOST_PORT", "eighty"),
        ("PODHOST_PORT", "70000"),
        ("PODHOST_PORT", "٣"),
        ("PODHOST_BASE_URL", "podcasts.example.org"),
        ("PODHOST_BASE_URL", "https://user:pw@pod.example"),
        ("PODHOST_BASE_URL", "https://pod.example:99999"),
        ("PODHOST_BASE_URL", "https://[::1"),
        ("PODHOST_STORAGE", "s3://[::1"),
        ("PODHOST_DATABASE_URL", "mysql://x"),
        ("PODHOST_STORAGE", "file://relative/folder"),
        ("PODHOST_STORAGE", "s3://"),
        ("PODHOST_AUDIO_DELIVERY", "teleport"),
        ("PODHOST_TRUSTED_PROXIES", "everybody"),
        ("PODHOST_MAX_UPLOAD_MB", "-1"),
        ("PODHOST_METRICS_TOKEN_FILE", "/nonexistent"),
        ("PODHOST_DATA", "~nobody-of-this-name/data"),
        ("PODHOST_BASE_URL", "https://pod example"),
        ("PODHOST_BASE_URL", "https://höst.example"),
        ("PODHOST_BASE_URL", "https://pod.example\x01"),
        ("PODHOST_HUBS", 'https://hub.example/"'),
        ("PODHOST_DATABASE_URL", "sqlite:///"),
        ("PODHOST_DATABASE_URL", "sqlite:///:memory:"),
        ("PODHOST_DATABASE_URL", "sqlite://server"),
        ("PODHOST_METRICS_TOKEN", "two words"),
        ("PODHOST_METRICS_TOKEN", "geheimniß"),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read_settings({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PODHOST_DATABASE_URL", "postgresql://u:hush@[::1/x"),
        ("PODHOST_DATABASE_URL", "postgresql://u:hush@db:port/x"),
        ("PODHOST_STORAGE", "s3://Bad_Bucket!/x"),
        ("PODHOST_STORAGE", "s3://bucket/a prefix"),
        ("PODHOST_STORAGE", "file:///"),
    ],
)
def test_so_is_a_value_that_only_its_part_can_judge(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=name) as caught:
        open_instance(read_settings({"PODHOST_DATA": str(tmp_path), name: value}))
    assert "hush" not in caught.value.message


def test_a_secret_never_stands_in_the_sentence() -> None:
    with pytest.raises(Invalid) as caught:
        read_settings({"PODHOST_DATABASE_URL": "oracle://scott:tiger@db"})
    assert "tiger" not in caught.value.message


def test_a_slip_of_the_pen_is_noticed() -> None:
    environment = {"PODHOST_PROT": "1", "PODHOST_PORT": "1", "PODHOST_METRICS_TOKEN_FILE": "x"}
    assert unknown_variables(environment) == ["PODHOST_PROT"]


def test_every_setting_has_help() -> None:
    assert all(len(setting.help) > 10 for setting in SETTINGS)
