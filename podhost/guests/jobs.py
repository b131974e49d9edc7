"""What the worker does for guests: which jobs there are, and what is due by the rows; it draws,
cuts and sends nothing itself."""

from collections.abc import Callable, Mapping

from podhost.guests import clips, share_pictures
from podhost.guests import letters as guest_letters
from podhost.guests.links import DRAW_PICTURES
from podhost.instance import Instance
from podhost.jobs import enqueue


def _cut_clip(instance: Instance, clip_id: str) -> None:
    clips.make_clip(instance.database, instance.storage, clip_id)


def _draw_pictures(instance: Instance, link_id: str) -> None:
    share_pictures.draw_pictures(instance.database, instance.storage, link_id, now=instance.now())


# Each takes the instance and the job's key, and may be run again at any time.
JOBS: Mapping[str, Callable[[Instance, str], None]] = {
    clips.CUT_CLIP: _cut_clip,
    DRAW_PICTURES: _draw_pictures,
}


def enqueue_missed(instance: Instance) -> int:
    """Enqueue what is due since an episode was published or changed; how much that was."""
    with instance.database.read() as session:
        link_ids = share_pictures.stale_link_ids(session)
        untold_ids = guest_letters.untold_link_ids(session)
    for link_id in link_ids:
        # Each by itself: who holds several rows could wait in a circle with others.
        with instance.database.write() as session:
            now = instance.now()
            enqueue(session, DRAW_PICTURES, link_id, now=now, run_at=now)
    for link_id in untold_ids:
        with instance.database.write() as session:
            guest_letters.tell_guest(
                session, link_id, base_url=instance.base_url, now=instance.now()
            )
    return len(link_ids) + len(untold_ids)
