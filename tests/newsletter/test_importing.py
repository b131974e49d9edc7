"""Readers who come from another podhost: those who confirmed, and nobody whom that would mail."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from podhost.errors import Invalid
from podhost.instance import Instance
from podhost.models import Mail, Show, Subscriber
from podhost.newsletter.addresses import write_csv
from podhost.newsletter.importing import ImportedReaders, import_readers, read_table
from podhost.newsletter.links import UNSUBSCRIBE, make_signer
from podhost.newsletter.subscribers import REFUSED, end, unsubscribe
from podhost.shows import get_show
from tests.conftest import FrozenClock
from tests.making import make_show
from tests.newsletter.making import ask, join, open_newsletter, readers

HEAD = "address,status,wants,asked_at,confirmed_at,ended_at\r\n"
WHEN = "2026-01-02T03:04:05Z"


def take(instance: Instance, show: Show, table: str | bytes) -> ImportedReaders:
    data = table.encode() if isinstance(table, str) else table
    rows = read_table(data, now=instance.now())
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        return import_readers(session, row, rows, now=instance.now())


def counts(found: ImportedReaders) -> tuple[int, int, int, int]:
    return found.imported, found.refused, found.known, found.left_out


def leave(instance: Instance, show: Show, address: str) -> None:
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
        reader = readers(instance, show)[address]
        secret = signer.secret(UNSUBSCRIBE, reader.id)
        unsubscribe(
            session, get_show(session, show.slug), secret, signer=signer, now=instance.now()
        )


def test_who_confirmed_there_reads_here_and_is_mailed_nothing(
    instance: Instance, clock: FrozenClock
) -> None:
    there, here = make_show(instance), make_show(instance, "Ebb")
    open_newsletter(instance, there)
    join(instance, there, "ann@example.org", "+bo@example.org")
    join(instance, there, "cy@example.org", wants="weekly")
    ask(instance, there, "waiting@example.org")
    join(instance, there, "gone@example.org", "broken@example.org")
    leave(instance, there, "gone@example.org")
    with instance.database.write() as session:
        broken = session.get_one(Subscriber, readers(instance, there)["broken@example.org"].id)
        end(session, broken, REFUSED, "No such user", now=instance.now())
        table = write_csv(session, there)
    clock.time += timedelta(days=3)
    assert counts(take(instance, here, table)) == (3, 1, 0, 1)
    before, after = readers(instance, there), readers(instance, here)
    assert set(after) == {
        *("ann@example.org", "+bo@example.org", "cy@example.org", "broken@example.org")
    }
    for address, reader in after.items():
        assert reader.status == before[address].status and reader.wants == before[address].wants
        assert reader.confirmed_at == before[address].confirmed_at
    # Once is as good as twice, and nobody was asked anything.
    assert counts(take(instance, here, table)) == (0, 0, 4, 1)
    with instance.database.read() as session:
        assert not session.scalars(select(Mail)).all()
    # What they do afterwards counts here.
    leave(instance, here, "ann@example.org")
    assert counts(take(instance, here, table)) == (0, 0, 4, 1)
    assert "ann@example.org" not in readers(instance, here)


def test_a_reader_who_left_or_was_refused_here_stays_so(instance: Instance) -> None:
    show = make_show(instance)
    open_newsletter(instance, show)
    join(instance, show, "ann@example.org", "bo@example.org")
    ask(instance, show, "cy@example.org")
    leave(instance, show, "ann@example.org")
    with instance.database.write() as session:
        bo = session.get_one(Subscriber, readers(instance, show)["bo@example.org"].id)
        end(session, bo, REFUSED, None, now=instance.now())
    lines = f"ANN@example.org,confirmed,episodes,{WHEN},{WHEN},\r\n"
    lines += f"bo@example.org,confirmed,episodes,{WHEN},{WHEN},\r\n"
    lines += f"cy@example.org,confirmed,episodes,{WHEN},{WHEN},\r\n"
    assert counts(take(instance, show, HEAD + lines)) == (0, 0, 3, 0)
    found = readers(instance, show)
    assert found["bo@example.org"].status == REFUSED
    assert found["cy@example.org"].status == "waiting" and "ann@example.org" not in found


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"\xff\xfe",
        b"email\r\nann@example.org\r\n",
        HEAD.replace(",", ";").encode(),
        HEAD.encode() + b'"ann@example.org',
        HEAD.encode() + b"ann@example.org\r\n",
        f"{HEAD}ann,confirmed,episodes,{WHEN},{WHEN},\r\n".encode(),
        f"{HEAD}a\nb@example.org,confirmed,episodes,{WHEN},{WHEN},\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,daily,{WHEN},{WHEN},\r\n".encode(),
        f"{HEAD}ann@example.org,yes,weekly,{WHEN},{WHEN},\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,weekly,{WHEN},,\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,weekly,{WHEN},02/01/2026,\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,weekly,{WHEN},2026-13-41T00:00:00Z,\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,weekly,{WHEN},2999-01-01T00:00:00Z,\r\n".encode(),
        f"{HEAD}ann@example.org,confirmed,weekly,{WHEN},{WHEN},,\r\n".encode(),
    ],
)
def test_what_podhost_did_not_write_imports_nobody(instance: Instance, table: bytes) -> None:
    show = make_show(instance)
    good = f"bo@example.org,confirmed,weekly,{WHEN},{WHEN},\r\n".encode()
    given = table.replace(HEAD.encode(), HEAD.encode() + good)
    with pytest.raises(Invalid, match=r"as podhost exports it|Nobody was imported|none that"):
        take(instance, show, given)
    assert not readers(instance, show)


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_an_empty_table_and_doubles_are_no_problem(instance: Instance) -> None:
    show = make_show(instance)
    assert counts(take(instance, show, HEAD)) == (0, 0, 0, 0)
    line = f"ann@example.org,confirmed,weekly,{WHEN},{WHEN},\r\n"
    other = line.replace("weekly", "episodes").replace("ann", "Ann")
    assert counts(take(instance, show, "\ufeff" + HEAD + line + other)) == (1, 0, 0, 0)
    assert readers(instance, show)["ann@example.org"].wants == "weekly"
