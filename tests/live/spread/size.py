"""How large the tests are: what every CI run can afford, unless the environment asks for more (soak)."""

import json
import os
import time
from pathlib import Path
from typing import Any

from tests.live.toxics import FEW, MANY

KILLS = int(os.environ.get("LUOSHU_LIVE_KILLS", "25"))
WRITES = int(os.environ.get("LUOSHU_LIVE_WRITES", "5000"))
AWAY = float(os.environ.get("LUOSHU_LIVE_AWAY", "60"))  # seconds that the broker is away
STOPS = int(os.environ.get("LUOSHU_LIVE_STOPS", "3"))  # times that a service is stopped under load
THREE = int(os.environ.get("LUOSHU_LIVE_THREE", "0"))  # of three brokers: kills of one
_KINDS = int(os.environ.get("LUOSHU_LIVE_TOXICS", "3"))
TOXICS = MANY[:_KINDS] if len(FEW) < _KINDS else FEW
IO_CREATES = int(
    os.environ.get("LUOSHU_LIVE_IO", "1")
)  # in each of which every write and sync fails
FIGURES = Path(
    os.environ.get("LUOSHU_FIGURES") or Path(__file__).parents[3] / "build" / "live-figures.jsonl"
)


def measured(what: str, **figures: Any) -> None:
    """Keep what a test measured, for docs/reliability.md."""
    FIGURES.parent.mkdir(exist_ok=True)
    line = {"what": what, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **figures}
    with FIGURES.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")
