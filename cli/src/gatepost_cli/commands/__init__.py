"""The subcommands, one module for each. A module is imported when its subcommand is asked for, and not before."""
