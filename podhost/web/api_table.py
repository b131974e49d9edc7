"""The API's calls for shows, episodes, feeds and imports, in one table; it answers nothing.

Calls of other areas stand in a table at the end of their own modules; api.py joins them.
"""

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost import jobs
from podhost.accounts.roles import Permission
from podhost.answers import (
    Diagnosis,
    EpisodeAnswer,
    EpisodeList,
    HubList,
    LiveList,
    ShowAnswer,
    ShowList,
)
from podhost.episodes import STATUSES, EpisodeInput
from podhost.feeds.further import FeedAnswer, FeedList, GivenFeed
from podhost.formats.chapters import JSON_MIME_TYPE
from podhost.formats.tag_values import LiveItem, LiveItemInput
from podhost.importing.answers import ImportAnswer, ImportInput, ImportList
from podhost.moves.cut_over import CutOver
from podhost.shows import ShowInput
from podhost.web import api_episodes as episodes
from podhost.web import api_feeds as feeds
from podhost.web import api_imports as imports
from podhost.web import api_live as live
from podhost.web import api_shows as shows
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import JSON, PREFIX, FormBody, Operation, Query

_SHOW = PREFIX + "/shows/{show}"
_LIVE = _SHOW + "/live/{live}"
_IMPORT = PREFIX + "/imports/{import}"
_EPISODE = _SHOW + "/episodes/{episode}"
_FEED = _SHOW + "/feeds/{feed}"

_PICTURES = ("image/jpeg", "image/png", "image/webp")
_ARTWORK = FormBody(
    files=("artwork",),
    texts=shows.ArtworkCrop,
    required=("artwork",),
    raw="artwork",
    raw_types=_PICTURES,
)
_PAGE = (
    Query(
        "limit",
        "How many to answer with.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    Query("offset", "How many to leave out.", {"type": "integer", "minimum": 0, "default": 0}),
)


class FailedJob(msgspec.Struct, kw_only=True):
    """Work that was given up, with the reason; `key` is the id of its show or episode."""

    kind: str
    key: str
    attempts: int
    error: str | None


class JobsAnswer(msgspec.Struct, kw_only=True):
    """How much work waits and runs, and what was given up."""

    waiting: int
    running: int
    failed: list[FailedJob]


def get_jobs(call: Call, session: Session) -> Response:
    """What the worker has to do."""
    counts = jobs.count_by_status(session)
    failed = [
        FailedJob(kind=job.kind, key=job.key, attempts=job.attempts, error=job.error)
        for job in jobs.list_failed(session)
    ]
    waiting, running = counts.get("waiting", 0), counts.get("running", 0)
    return json_answer(JobsAnswer(waiting=waiting, running=running, failed=failed))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=PREFIX + "/shows",
        handler=shows.get_shows,
        needs=Permission.SIGNED_IN,
        summary="List the shows, by title.",
        query=_PAGE,
        answer=ShowList,
        is_remembered=True,
    ),
    Operation(
        method="POST",
        path=PREFIX + "/shows",
        handler=shows.post_show,
        summary="Create a show.",
        json=ShowInput,
        answer=ShowAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_SHOW,
        handler=shows.get_one_show,
        summary="Read a show.",
        answer=ShowAnswer,
        is_remembered=True,
    ),
    Operation(
        method="PATCH",
        path=_SHOW,
        handler=shows.patch_show,
        needs=Permission.MANAGE,
        summary="Change what is given of a show.",
        json=ShowInput,
        answer=ShowAnswer,
    ),
    Operation(
        method="DELETE",
        path=_SHOW,
        handler=shows.remove_show,
        needs=Permission.MANAGE,
        summary="Take a show off the air; it can come back for 30 days.",
        status=204,
    ),
    Operation(
        method="PUT",
        path=_SHOW + "/artwork",
        handler=shows.put_show_artwork,
        needs=Permission.MANAGE,
        summary="Give a show its artwork: square, 1400 pixels or more, or cut out of a picture.",
        form=_ARTWORK,
        query=shows.CROP,
        answer=ShowAnswer,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/hubs",
        handler=shows.get_hubs,
        summary="Read which hubs and directories know the show's newest feed.",
        answer=HubList,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/move",
        handler=shows.get_move,
        summary="Read how far a show's move to another host is, and what is to be done.",
        answer=CutOver,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/move",
        handler=shows.post_move,
        needs=Permission.MANAGE,
        summary="Have the feed at the new host read again.",
        json=shows.MoveAgain,
        json_required=False,
        answer=CutOver,
        status=202,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/doctor",
        handler=shows.get_doctor,
        summary="Say what is wrong with the show's feed: will Apple reject it?",
        answer=Diagnosis,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/live",
        handler=live.get_live_items,
        summary="List the live streams of a show.",
        answer=LiveList,
        is_remembered=True,
    ),
    Operation(
        method="GET",
        path=_LIVE,
        handler=live.get_one_live_item,
        summary="Read a live stream.",
        answer=LiveItem,
        is_remembered=True,
    ),
    Operation(
        method="PUT",
        path=_LIVE,
        handler=live.put_one_live_item,
        summary="Announce a live stream, or say all of one anew.",
        json=LiveItemInput,
        answer=LiveItem,
        may_create=True,
    ),
    Operation(
        method="PATCH",
        path=_LIVE,
        handler=live.patch_live_item,
        summary="Change what is given of a live stream, such as its status.",
        json=LiveItemInput,
        answer=LiveItem,
    ),
    Operation(
        method="DELETE",
        path=_LIVE,
        handler=live.remove_live_item,
        summary="Take a live stream out of the feed.",
        status=204,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/feeds",
        handler=feeds.get_feeds,
        summary="List the further feeds of a show.",
        answer=FeedList,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/feeds",
        handler=feeds.post_feed,
        needs=Permission.MANAGE,
        summary="Make a further feed; a private one may be given a name.",
        json=GivenFeed,
        answer=FeedAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_FEED,
        handler=feeds.get_one_feed,
        summary="Read a further feed.",
        answer=FeedAnswer,
    ),
    Operation(
        method="PUT",
        path=_FEED,
        handler=feeds.put_one_feed,
        needs=Permission.MANAGE,
        summary="Make a further feed, or change it as a whole.",
        json=GivenFeed,
        answer=FeedAnswer,
    ),
    Operation(
        method="DELETE",
        path=_FEED,
        handler=feeds.remove_one_feed,
        needs=Permission.MANAGE,
        summary="Take a further feed away; its address answers 410.",
        status=204,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/episodes",
        handler=episodes.get_episodes,
        summary="List the episodes of a show, newest first.",
        query=(*_PAGE, Query("status", "Only these.", {"type": "string", "enum": [*STATUSES]})),
        answer=EpisodeList,
        is_remembered=True,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/episodes",
        handler=episodes.post_episode,
        summary="Create an episode from its audio, and publish it if wanted.",
        json=episodes.NewEpisode,
        form=FormBody(files=("audio", "artwork", "transcript"), texts=episodes.NewEpisode),
        answer=EpisodeAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_EPISODE,
        handler=episodes.get_one_episode,
        summary="Read an episode.",
        answer=EpisodeAnswer,
        is_remembered=True,
        is_versioned=True,
    ),
    Operation(
        method="PATCH",
        path=_EPISODE,
        handler=episodes.patch_episode,
        summary="Change what is given of an episode; its guid never changes.",
        json=EpisodeInput,
        answer=EpisodeAnswer,
        is_versioned=True,
    ),
    Operation(
        method="DELETE",
        path=_EPISODE,
        handler=episodes.remove_episode,
        summary="Delete an episode; its guid stays used, and it can come back for 30 days.",
        status=204,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/publish",
        handler=episodes.post_publish,
        summary="Publish an episode, now or at a time.",
        json=episodes.Publication,
        json_required=False,
        answer=EpisodeAnswer,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/withdraw",
        handler=episodes.post_withdraw,
        summary="Take an episode out of the feed.",
        answer=EpisodeAnswer,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/write-tags",
        handler=episodes.post_write_tags,
        summary="Write what is said of the episode into its audio, which gets a new URL.",
        answer=EpisodeAnswer,
        status=202,
    ),
    Operation(
        method="PUT",
        path=_EPISODE + "/audio",
        handler=episodes.put_audio,
        summary="Replace the audio: the guid stays, the enclosure gets a new URL.",
        form=FormBody(
            files=("audio",),
            texts=episodes.NewAudio,
            raw="audio",
            raw_types=("audio/mpeg", "audio/mp4"),
        ),
        query=(
            Query(
                "offset_ms",
                "Of a bare file: so much later are chapters, transcripts and soundbites.",
                {"type": "integer"},
            ),
        ),
        answer=EpisodeAnswer,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/shift",
        handler=episodes.post_shift,
        summary="Move chapters, transcripts and soundbites as the times in the audio moved.",
        json=episodes.Shift,
        answer=EpisodeAnswer,
    ),
    Operation(
        method="PUT",
        path=_EPISODE + "/artwork",
        handler=episodes.put_episode_artwork,
        summary="Give an episode artwork of its own.",
        form=_ARTWORK,
        query=shows.CROP,
        answer=EpisodeAnswer,
    ),
    Operation(
        method="DELETE",
        path=_EPISODE + "/artwork",
        handler=episodes.remove_episode_artwork,
        summary="Take an episode's own artwork away.",
        status=204,
    ),
    Operation(
        method="GET",
        path=_EPISODE + "/chapters",
        handler=episodes.get_chapters,
        summary="Read the chapters as JSON chapters.",
        answer_type=JSON_MIME_TYPE,
    ),
    Operation(
        method="PUT",
        path=_EPISODE + "/chapters",
        handler=episodes.put_chapters,
        summary="Replace the chapters; an empty list takes them away.",
        text_types=(
            *(JSON_MIME_TYPE, JSON, "application/xml"),
            *("text/vtt", "application/x-subrip", "text/plain"),
        ),
        answer=EpisodeAnswer,
    ),
    Operation(
        method="PUT",
        path=_EPISODE + "/transcript",
        handler=episodes.put_transcript,
        summary="Replace the transcript.",
        query=(
            Query("language", "Of a bare file; the show's, if unsaid.", {"type": "string"}),
            Query("filename", "Of a bare file; tells its kind.", {"type": "string"}),
            episodes.REPLACES,
        ),
        form=FormBody(
            files=("transcript",),
            texts=episodes.NewTranscript,
            required=("transcript",),
            raw="transcript",
            raw_types=("text/vtt", "application/x-subrip", JSON, "text/plain", "text/html"),
        ),
        answer=EpisodeAnswer,
    ),
    Operation(
        method="DELETE",
        path=_EPISODE + "/transcript",
        handler=episodes.remove_transcript,
        summary="Take the transcript away.",
        status=204,
    ),
    Operation(
        method="GET",
        path=PREFIX + "/imports",
        handler=imports.get_imports,
        summary="List the shows that are or were moved in, newest first.",
        answer=ImportList,
    ),
    Operation(
        method="POST",
        path=PREFIX + "/imports",
        handler=imports.post_import,
        summary="Move a show in from another host, or bring what is new there.",
        json=ImportInput,
        form=imports.UPLOADED_FEED,
        answer=ImportAnswer,
        status=201,
    ),
    Operation(
        method="GET",
        path=_IMPORT,
        handler=imports.get_one_import,
        summary="Read how far an import is, and its report.",
        query=(
            Query(
                "episodes",
                "Whether to list them.",
                {"type": "string", "enum": ["all", "none"], "default": "all"},
            ),
        ),
        answer=ImportAnswer,
    ),
    Operation(
        method="POST",
        path=_IMPORT + "/retry",
        handler=imports.post_retry,
        summary="Try the failed episodes of an import again.",
        answer=ImportAnswer,
    ),
    Operation(
        method="GET",
        path=PREFIX + "/jobs",
        handler=get_jobs,
        summary="Read what the worker has to do, and what it gave up.",
        answer=JobsAnswer,
    ),
)
