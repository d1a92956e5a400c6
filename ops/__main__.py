"""`python -m ops`, which is what `bin/imagify` runs."""

import os
import sys

# A person reads sentences; the lines that functions log are for machines.
os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"

from ops.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
