"""Layouts of queue files, and how a file of an older one is brought up to date.

Layout 1: `requests` without `checksum`, and a table `about`. Layout 2: with `checksum` (rows from before have none and
are taken as they are), without `about`, which says no more than the file's name.
A layout is never changed once a release has written it; a new one gets a step here, a file in tests/data and a test.
"""

from __future__ import annotations

import sqlite3
from typing import Final

LAYOUT: Final = 2
"""Version of the schema that this version writes (`PRAGMA user_version`)."""

SCHEMA: Final = (
    """CREATE TABLE requests (
        id INTEGER PRIMARY KEY, items INTEGER NOT NULL, body_bytes INTEGER NOT NULL,
        stored_unix_ms INTEGER NOT NULL, context TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER)""",
)

_STEPS: Final = {1: ("ALTER TABLE requests ADD COLUMN checksum INTEGER", "DROP TABLE about")}
"""Statements that make the next layout of each older one."""


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a file up to date in one transaction; the layout it had.

    Raises:
        sqlite3.Error: as any write; the file is as it was.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == LAYOUT:
        return LAYOUT
    connection.execute("BEGIN IMMEDIATE")
    try:
        for layout in range(found, LAYOUT):
            for statement in _STEPS[layout]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return int(found)
