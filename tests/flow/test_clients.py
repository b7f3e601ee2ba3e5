"""The clients of docs/clients.md that need nothing but this repository."""

import os
import subprocess
import sys

from app.settings import ROOT
from tools import readme

CREATE = ROOT / "examples" / "clients" / "python" / "create.py"


def test_the_client_in_python_registers_once_however_often_it_runs() -> None:
    with readme.server() as address:
        ran = [
            subprocess.run(
                [sys.executable, str(CREATE), address],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT / "sdk")},
            )
            for _ in range(2)
        ]
    assert [one.stdout for one in ran] == ["platforms/python-laboratory r1 STATE_DRAFT\n"] * 2, ran
