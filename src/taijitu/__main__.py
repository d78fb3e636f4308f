"""`python -m taijitu`."""

import sys

from taijitu.cli import main

sys.exit(main())
