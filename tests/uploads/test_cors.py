"""Whether browsers may send parts to a bucket: asked of a real one, and set there."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from podhost.cli import podhost
from podhost.errors import Invalid
from podhost.storage import LocalStorage, S3Storage
from podhost.uploads.cors import apply_cors, check_cors, wanted_rule
from tests.servers import S3Server

STUDIO = "https://pod.example"


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.create_bucket(f"cors-{secrets.token_hex(6)}")


@pytest.fixture
def s3(s3_server: S3Server, bucket: str) -> Iterator[S3Storage]:
    store = s3_server.storage(bucket, prefix="deep/down")
    yield store
    store.close()


def test_a_bucket_for_other_pages_is_found_out_mended_and_keeps_their_rules(
    s3: S3Storage, s3_server: S3Server
) -> None:
    theirs = wanted_rule("https://other.example")
    s3.cors().set_rules([theirs])
    found = check_cors(s3, STUDIO)
    assert (found.is_needed, found.is_well) == (True, False)
    assert "pages of https://pod.example" in found.message
    assert found.rules == {"CORSRules": [wanted_rule(STUDIO)]}
    assert found.bucket_origin == s3_server.endpoint_url
    assert found.command == "podhost storage cors --apply"
    mended = apply_cors(s3, STUDIO)
    assert (mended.is_well, mended.command) == (True, None)
    apply_cors(s3, f"{STUDIO}/")
    assert [rule["AllowedOrigins"] for rule in s3.cors().rules()] == [
        ["https://other.example"],
        [STUDIO],
    ]


def test_an_etag_that_pages_cannot_read_is_found_out(s3: S3Storage) -> None:
    s3.cors().set_rules([{**wanted_rule(STUDIO), "ExposeHeaders": ["x-amz-request-id"]}])
    found = check_cors(s3, STUDIO)
    assert found.is_well is False
    assert "ExposeHeaders" in found.message


def test_a_bucket_that_does_not_answer_is_neither_well_nor_not() -> None:
    away = S3Storage(
        "nobody", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b", region="r"
    )
    found = check_cors(away, STUDIO)
    assert (found.is_needed, found.is_well) == (True, None)
    assert "not known" in found.message


def test_a_folder_needs_nothing(tmp_path: Path) -> None:
    found = check_cors(LocalStorage(tmp_path), STUDIO)
    assert (found.is_needed, found.is_well, found.rules) == (False, True, None)
    with pytest.raises(Invalid, match="folder"):
        apply_cors(LocalStorage(tmp_path), STUDIO)


def test_the_command_says_it_sets_it_and_fails_while_it_is_wrong(
    s3: S3Storage, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    s3.cors().set_rules([wanted_rule("https://other.example")])
    environment = {
        **s3_server.environment(),
        "PODHOST_DATA": str(tmp_path),
        "PODHOST_STORAGE": f"s3://{bucket}/deep/down",
        "PODHOST_BASE_URL": STUDIO,
    }
    CliRunner().invoke(podhost, ["migrate"], env=environment)
    before = CliRunner().invoke(podhost, ["storage", "cors"], env=environment)
    assert before.exit_code == 1
    printed = before.output
    assert json.loads(printed[printed.index("{") :])["CORSRules"][0]["AllowedOrigins"] == [STUDIO]
    mended = CliRunner().invoke(podhost, ["storage", "cors", "--apply", "--json"], env=environment)
    assert mended.exit_code == 0, mended.output
    assert json.loads(mended.output)["is_well"] is True
