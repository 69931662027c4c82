"""`python -m nagara` is the command `nagara`."""

from __future__ import annotations

from nagara.cli import main

if __name__ == "__main__":
    main()
