"""SQL that SQLAlchemy compiled, shared by all databases of a test process.

Each test has a database of its own, and with that an engine, which would compile every statement
anew: half of the time that most tests take. Which database a statement is for makes no difference
to its text, only which kind of database.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

from podhost import db

_MOST = 4000


def share_compiled_statements() -> None:
    """From now on, engines of one kind find what any of them compiled."""
    shared: LRUCache[Any, Any] = LRUCache(_MOST)
    create_engine = db.create_engine

    def sharing(*arguments: Any, **options: Any) -> Engine:
        engine = create_engine(*arguments, **options)
        engine.update_execution_options(compiled_cache=shared)
        return engine

    # What was compiled is found by the dialect, of which each engine has one.
    DefaultDialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign]
    db.create_engine = sharing  # type: ignore[assignment]
