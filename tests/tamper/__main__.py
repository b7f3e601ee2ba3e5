"""`python -m tests.tamper`: the random campaign, in its soak size unless told otherwise. Exit code 1: something was missed."""

import argparse
import sys

from tests.service import sm_keys
from tests.tamper import edits
from tests.tamper.campaign import campaign

SIGNERS = {signer.suite.name: signer for signer in (edits.SIGNER, sm_keys.SIGNER)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--edits", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--suite", choices=sorted(SIGNERS), default="sha256-ed25519")
    said = parser.parse_args()

    def progress(done: int) -> None:
        if done % 10_000 == 0:
            print(f"{done} of {said.edits}", file=sys.stderr, flush=True)

    found = campaign(said.rows, said.edits, said.seed, progress, SIGNERS[said.suite])
    for line in found.missed[:20]:
        print(line)
    print(
        f"{said.suite}: {found.edits} edits of {said.rows} entries, seed {said.seed}: {len(found.missed)} missed; "
        f"{found.checked_sound} checks of the untouched log: {found.false_alarms} false alarms"
    )
    return bool(found.missed or found.false_alarms)


if __name__ == "__main__":
    sys.exit(main())
