"""Lets `python -m collage_studio` do what the command collage-studio does."""

import sys

from collage_studio.cli import main

if __name__ == "__main__":
    sys.exit(main())
