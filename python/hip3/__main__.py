"""`python -m hip3` is `hip3`."""

from hip3.cli import main

raise SystemExit(main())
