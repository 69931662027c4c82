"""The command `nagara`. Every command is thin: it reads options and calls one use case."""

from __future__ import annotations

from nagara.cli import accounts, federation, keeping, network, serving, tools
from nagara.cli.frame import app, main

__all__ = ["app", "main"]

for part in (serving, accounts, keeping, network, federation, tools):
    part.register(app)
