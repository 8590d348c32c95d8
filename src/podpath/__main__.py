"""``python -m podpath`` is the same as ``podpath``."""

import sys

from podpath.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
