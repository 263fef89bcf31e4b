"""What the ledger's code of a revision uses of its database, and what a later schema keeps of it.

A shape is told by a PostgreSQL server: columns by name and type, and what must be unique. That of
each revision from the first that may be rolled back to is kept beside the ledger's tests.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect

from stratvector.services.ledger.adapters.schema import watermarks
from stratvector.services.ledger.adapters.tables import DERIVED

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "services/ledger/tests/shapes"
Shape = Mapping[str, Mapping[str, Any]]
# A version fills them by what it knows, up to a watermark that says that nothing is lacking.
FILLED = frozenset(table.name for table in (*DERIVED, watermarks))


def shape_of(
    connection: Connection, used: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """Of some columns of some tables of a server's database, as far as they are there."""
    there, shape = inspect(connection), {}
    for table in sorted(used.keys() & set(there.get_table_names())):
        unique = [there.get_pk_constraint(table)["constrained_columns"]]
        unique += [
            [str(name) for name in one["column_names"]]
            for one in there.get_indexes(table)
            if one["unique"]
        ]
        columns = {
            one["name"]: str(one["type"])
            for one in there.get_columns(table)
            if one["name"] in used[table]
        }
        shape[table] = {"columns": columns, "unique": sorted(map(sorted, unique))}
    return shape


def kept_shape(number: str) -> Shape:
    """Of the code whose newest revision has this number. Raises OSError where none is kept."""
    shape: Shape = json.loads((FOLDER / f"{number}.json").read_text())
    return shape


def text_of(shape: Shape) -> str:
    """As it lies in a file: a line for each table."""
    lines = [f"{json.dumps(table)}: {json.dumps(used)}" for table, used in shape.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def broken_by(connection: Connection, shape: Shape) -> Iterator[str]:
    """What keeps code that uses a shape from working on a database, or its work from being whole
    for the code that comes after it.
    """
    there = inspect(connection)
    found = shape_of(connection, {table: used["columns"] for table, used in shape.items()})
    for table, used in shape.items():
        if table not in found:
            yield f"{table} is gone"
            continue
        yield from _changed(table, used["columns"], there.get_columns(table))
        if found[table]["unique"] != used["unique"]:
            yield f"other columns of {table} must be unique"
        if there.get_check_constraints(table) or there.get_foreign_keys(table):
            yield f"{table} takes not every row any more"


def _changed(
    table: str, used: Mapping[str, str], columns: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    there = {one["name"]: one for one in columns}
    for name, kind in used.items():
        if name not in there:
            yield f"{table}.{name} is gone"
        elif str(there[name]["type"]) != kind:
            yield f"{table}.{name} was {kind} and is {there[name]['type']}"
        elif there[name]["nullable"]:
            yield f"{table}.{name} may be empty"
    for name in there.keys() - used.keys():
        if table in FILLED:
            yield f"{table}.{name} stays empty in what the version before derives"
        elif not there[name]["nullable"] and there[name]["default"] is None:
            yield f"{table}.{name} must be filled"
