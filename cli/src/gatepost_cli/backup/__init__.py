"""Backups: one consistent copy of the three databases and the pictures, and an installation made of it again (ADR 19).

`commands.backup` and `commands.restore` call `taking` and `restoring`. The commands know tables by PostgreSQL's
catalogue alone; what a row means is asked of the services, called by hand (`by_hand`).
"""
