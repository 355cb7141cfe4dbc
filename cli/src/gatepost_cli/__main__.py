"""`python -m gatepost_cli`: the same command as `gatepost`."""

from gatepost_cli.main import main

if __name__ == "__main__":
    main()
