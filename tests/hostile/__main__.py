"""Everything hostile, one after the other.

python -m tests.hostile --size ci        # or soak
"""

import argparse
import subprocess
import sys

RUNS = {
    "ci": (("fuzz", "--size", "ci"), ("overload",), ("probes",)),
    "soak": (
        ("fuzz", "--size", "soak"),
        ("overload", "--times", "10", "--seconds", "60"),
        ("probes", "--seconds", "60"),
    ),
}


def main() -> int:
    """Return how many of them found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--size", choices=RUNS, default="ci")
    said = parser.parse_args()
    failed = 0
    for what, *more in RUNS[said.size]:
        print(f"--- {what}", flush=True)
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", f"tests.hostile.{what}", *more]
        )
        failed += bool(ended.returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main())
