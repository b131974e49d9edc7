"""The feed doctor: will Apple reject this show, of ours or of anybody? It looks; it mends nothing.

What is wrong with a feed's bytes is decided in formats/doctor.py, what is wrong with servers in
live.py.
"""

from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from podhost.answers import Diagnosis
from podhost.doctor import live as doctor_live
from podhost.doctor.live import NEWEST
from podhost.doctor.live_rules import LIVE_RULES
from podhost.errors import Invalid
from podhost.feeds.rendering import Site, find_snapshot, render_show, snapshot_body
from podhost.fetching import Fetcher
from podhost.formats.doctor import examine
from podhost.formats.doctor_report import THE_FEED, Report
from podhost.formats.doctor_rules import Finding, Rule
from podhost.formats.feed_words import MAX_FEED_BYTES, NAMESPACES
from podhost.formats.feed_xml import ReadFeed, read_feed
from podhost.models import Show

_WAITING = Rule(
    "hint",
    "podhost",
    "The feed has not been rendered yet.",
    "Ask again in a moment; if it stays so, see that a worker runs.",
)


def feed_body(session: Session, show: Show, site: Site) -> bytes | None:
    """What apps get now; what they would get, when nothing was rendered yet; None before that."""
    snapshot = find_snapshot(session, show)
    if snapshot is not None:
        return snapshot_body(snapshot)
    return render_show(session, show, site) if show.artwork is not None else None


def diagnose_body(
    subject: str,
    body: bytes | None,
    *,
    now: datetime,
    fetcher: Fetcher | None = None,
    newest: int = NEWEST,
) -> Diagnosis:
    """What is wrong with a feed of ours, as `feed_body` gives it.

    With a fetcher, also what is wrong with how the world sees the show: its feed under its own
    address, its `newest` audio files and its artwork.
    """
    report = Report(now)
    if body is None:
        report.add_rule("feed-waiting", _WAITING, THE_FEED)
        return _diagnosis(subject, report.findings())
    feed = read_feed(body)
    own = _own_address(feed)
    if fetcher is not None and own:
        found = doctor_live.fetch_feed(own, fetcher, report)
        if found is not None:
            doctor_live.examine_serving(found, fetcher, report)
    if fetcher is not None:
        doctor_live.examine_addresses(feed, fetcher, report, newest=newest)
    return _diagnosis(subject, [*report.findings(), *examine(feed, body=body, now=now)])


def diagnose_address(
    source: str, fetcher: Fetcher, *, is_live: bool, now: datetime, newest: int = NEWEST
) -> Diagnosis:
    """What is wrong with anybody's feed, by its address or as a file; `is_live` looks at how the
    feed, its newest audio and its artwork are served too.

    Raises Invalid for a file that cannot be read; all else is a finding.
    """
    report = Report(now)
    url, content_type = "", ""
    if _is_address(source):
        found = doctor_live.fetch_feed(source, fetcher, report)
        if found is None:
            return _diagnosis(source, report.findings())
        body, content_type, url = found.body, found.headers.get("content-type", ""), found.url
        if is_live:
            doctor_live.examine_serving(found, fetcher, report)
    else:
        body = _file_body(Path(source))
    try:
        feed = read_feed(body, content_type)
    except Invalid as error:
        report.add_rule("feed-no-feed", LIVE_RULES["feed-no-feed"], THE_FEED, error.message)
        return _diagnosis(source, report.findings())
    if is_live:
        doctor_live.examine_addresses(feed, fetcher, report, feed_url=url, newest=newest)
    return _diagnosis(source, [*report.findings(), *examine(feed, body=body, now=now)])


def _diagnosis(subject: str, findings: list[Finding]) -> Diagnosis:
    counts = Counter(finding.severity for finding in findings)
    order = ("error", "warning", "hint")
    return Diagnosis(
        subject=subject,
        errors=counts["error"],
        warnings=counts["warning"],
        hints=counts["hint"],
        findings=sorted(findings, key=lambda finding: order.index(finding.severity)),
    )


def _own_address(feed: ReadFeed) -> str:
    for link in feed.root.iter(f"{{{NAMESPACES['atom']}}}link"):
        if link.get("rel") == "self":
            return str(link.get("href") or "")
    return ""


def _is_address(source: str) -> bool:
    try:
        return urlsplit(source).scheme.lower() in ("http", "https")
    except ValueError:
        return False


def _file_body(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_FEED_BYTES + 1)
    except (OSError, ValueError):
        raise Invalid(f"There is no file {path} that can be read.") from None
    if len(body) > MAX_FEED_BYTES:
        raise Invalid(f"The file {path} is too large for a feed.")
    return body
