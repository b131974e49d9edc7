"""What tests in a browser share; without Chromium they are skipped, or fail where CI needs them."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import pytest_runtest_protocol as run_one_test
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chromium import IS_REQUIRED, MISSING, BrowserThread, find_chromium
from tests.browser.looking import Problems, check_accessibility
from tests.browser.studio import StudioServer, running_studio
from tests.servers import S3Server

HERE = Path(__file__).parent
# Of Playwright's own waiting and of what tests expect; below the test's timeout, so that its
# sentence is the one seen.
PATIENCE_MS = 60_000
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=PATIENCE_MS)

_THREAD: list[BrowserThread] = []


def browser_thread() -> BrowserThread:
    """The session's, made when it is first needed."""
    if not _THREAD:
        _THREAD.append(BrowserThread())
    return _THREAD[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Tests of this folder, with their fixtures, run on the browser's thread."""
    if not item.path.is_relative_to(HERE):
        return None
    return browser_thread().run(lambda: run_one_test(item, nextitem))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs is ended by a thread, because signals reach the main thread only."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(method="thread"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ends a test that has no browser before anything is started for it."""
    if item.path.is_relative_to(HERE) and find_chromium() is None:
        if IS_REQUIRED:
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)


def pytest_unconfigure() -> None:
    while _THREAD:
        _THREAD.pop().close()


@pytest.fixture
def view(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How the browser looks at pages: 1280 px and light. Another way is a parameter:
    `@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark"}])`."""
    return dict(getattr(request, "param", {}))


@pytest.fixture
def problems() -> Problems:
    """What goes wrong in the test's pages; `problems.expect("pattern")` for what is meant to."""
    return Problems()


@pytest.fixture
def new_context(view: dict[str, Any], problems: Problems) -> Iterator[Callable[..., Any]]:
    """Makes contexts of their own (another person, another device), watched for problems."""
    made: list[BrowserContext] = []

    def make(**more: Any) -> BrowserContext:
        settings = {"viewport": WIDE, "color_scheme": "light", "locale": "en-US", **view, **more}
        context = browser_thread().browser().new_context(**settings)
        context.set_default_timeout(PATIENCE_MS)
        problems.watch(context)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert not problems.unexpected(), "\n".join(problems.unexpected())


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """One person's browser without cookies; nobody is signed in."""
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab in which nobody is signed in."""
    return context.new_page()


@pytest.fixture
def axe() -> Callable[..., None]:
    """`axe(page)` fails on barriers that axe calls serious or critical, in light and in dark."""
    return check_accessibility


@pytest.fixture(scope="session")
def studio_server(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[StudioServer]:
    """SQLite and a folder. Shared: make a show of your own (`new_show`), and never stop it."""
    with running_studio(tmp_path_factory.mktemp("studio"), migrated_sqlite) as server:
        yield server


@pytest.fixture
def own_studio_server(tmp_path: Path, migrated_sqlite: Path) -> Iterator[StudioServer]:
    """SQLite and a folder, for this test alone: it may be killed and started again."""
    with running_studio(tmp_path / "studio", migrated_sqlite) as server:
        yield server


@pytest.fixture(scope="session")
def s3_studio_server(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, s3_server: S3Server
) -> Iterator[StudioServer]:
    """SQLite and an S3 bucket that browsers may write to. Shared: never stop it."""
    bucket = s3_server.create_bucket()
    allow_browsers(s3_server, bucket)
    environment = {
        "PODHOST_STORAGE": f"s3://{bucket}/{secrets.token_hex(4)}",
        **s3_server.environment(),
    }
    data = tmp_path_factory.mktemp("studio-s3")
    with running_studio(data, migrated_sqlite, environment) as server:
        yield server


def allow_browsers(server: S3Server, bucket: str, origin: str = "*") -> None:
    """Set the bucket's CORS as the documentation tells operators to, for pages of this origin."""
    rule = {
        "AllowedOrigins": [origin],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }
    client = server.client()
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    client.close()


@pytest.fixture
def signed_in(context: BrowserContext, studio_server: StudioServer) -> Page:
    """A tab of the operator, signed in at `studio_server`; on no page yet."""
    studio_server.sign_in(context)
    return context.new_page()
