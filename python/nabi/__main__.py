"""`python -m nabi` is the `nabi` command."""

import sys

from nabi.cli import main

sys.exit(main())
