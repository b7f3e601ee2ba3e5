"""`python -m app.demo`: Ctrl-C ends it without a traceback, also while it is still being read in."""

import sys

try:
    from app.cli.usage import start
    from app.demo.starting import main

    start(main)
except KeyboardInterrupt:
    sys.exit(130)
