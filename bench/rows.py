"""What the measurements write: platforms of an old register, with titles that differ."""

from collections.abc import Iterator

from luoshu.platforms.v1 import platforms_pb2 as pb

UNIT = "91110000710926094P"


def platform(number: int) -> pb.Platform:
    return pb.Platform(
        title=f"河南省先进材料重点实验室 {number * 7919 % 1_000_003:07}",
        kind="provincial-laboratory",
        division="410100",
        direction="new-materials",
        supporting_unit_code=UNIT,
        supporting_unit_name="某大学",
        abstract="先进结构材料与功能材料的制备、表征与工程应用研究。" * 4,
    )


def messages(count: int, size: int = 500, first: int = 1) -> Iterator[pb.ImportPlatformsRequest]:
    """So many rows from a number on, as messages of an import, `size` rows each."""
    row, end = pb.ImportPlatformsRequest.Row, first + count
    for start in range(first, end, size):
        numbers = range(start, min(start + size, end))
        rows = [row(line=n, key=f"row-{n}", platform=platform(n)) for n in numbers]
        yield pb.ImportPlatformsRequest(source="bench", rows=rows)
