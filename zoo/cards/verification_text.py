"""What `cardiac-zoo verify` says."""

from zoo.cards.tables import to_text

SHOWN = 20  # characters of one value


def verification_text(result) -> str:
    """A `Verification` as text: a line when all is well, otherwise a table of what differs.

    Args:
        result (`zoo.metrics.verify.Verification`): What was found.
    """
    from rich.table import Table

    machine = "the machine of the card" if result.same_machine else "another machine than the card's"
    lines = [f"{result.compared:,} numbers compared on {machine} ({result.hardware}): {result.tolerance:.1%} allowed"]
    lines += [f"not verified: {reason}" for reason in result.not_verified]
    if not result.differences:
        return "\n".join([*lines, "verified: all agree", ""])
    table = Table(title=f"{len(result.differences):,} do not agree", title_justify="left")
    table.add_column("Figure", overflow="fold")
    for heading in ("published", "computed here", "allowed difference"):
        table.add_column(heading, justify="right")
    for row in result.differences:
        allowed = "none" if row.allowed is None else f"{row.allowed:.2g}"
        table.add_row(row.figure, _shown(row.published), _shown(row.recomputed), allowed)
    return "\n".join([*lines, to_text(table)])


def _shown(value) -> str:
    text = "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
