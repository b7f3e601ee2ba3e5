"""`python -m app.demo.service CLOCK SERVICE`: one service of the cluster while the story is played, by the story's clock."""

import sys
from functools import partial
from pathlib import Path

from app import serve
from app.demo.clock import shared

if __name__ == "__main__":
    file, *services = sys.argv[1:]
    serve.main(services, clock=partial(shared, Path(file)))
