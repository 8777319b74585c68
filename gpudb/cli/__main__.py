"""``python -m gpudb.cli`` does what the ``gpudb`` command does."""

import sys

from gpudb.cli import main

sys.exit(main())
