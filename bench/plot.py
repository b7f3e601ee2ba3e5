"""The goals as a picture: each result as a share of its goal, on a logarithmic axis."""

from collections.abc import Iterable

from bench.results import HERE, Line

PICTURE = HERE / "results.svg"
HELD, MISSED = "#2a7f62", "#b3432f"


def draw(lines: Iterable[Line]) -> None:
    """Write bench/results.svg; nothing where no line has a goal."""
    found = [line for line in lines if line.share]
    if not found:
        return
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "luoshu"  # the same figures make the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 0.34 * len(found) + 1.2))
    shares = [line.share for line in found]
    colours = [HELD if line.holds else MISSED for line in found]
    rows = range(len(found))
    axes.barh(rows, [share - 1 for share in shares], left=1, color=colours, height=0.6)  # type: ignore[operator]
    axes.set_yticks(
        rows, [f"{line.what}: {line.found} ({line.goal})" for line in found], fontsize=7
    )
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("found as a share of the goal; right of the line it holds")
    axes.invert_yaxis()
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})
