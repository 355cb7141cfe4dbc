"""SQL for statements that take many items at once, as one array for each of their columns.

`ARRAY(SELECT unnest($1))` in place of `$1` keeps the planner from looking into the array: it expects ten items whatever
comes, so one plan does for every batch. Knowing how few there are, it thinks the kept plan too dear and plans anew each
time: reading a session out of six tables cost PostgreSQL 441 µs so, and 47 µs this way (532 and 88 µs for four).
"""


def any_of(kind: str) -> str:
    """Return `= ANY(…)` of an array of this SQL type, which is the statement's first argument."""
    return f"= ANY(ARRAY(SELECT unnest($1::{kind}[])))"


def items(**columns: str) -> str:
    """Return what to select from to have one row for each item, in order of `n`.

    Args:
        **columns: SQL types by name; the statement's first arguments are their arrays, in this order.
    """
    arrays = [f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1)]
    arrays[0] = f"ARRAY(SELECT unnest({arrays[0]}))"
    return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS w({', '.join(columns)}, n)"
