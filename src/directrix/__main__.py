"""`python -m directrix` is `directrix`."""

import sys

from directrix.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
