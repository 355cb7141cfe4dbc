"""`python -m gatepost_cli.supervisor OPTIONS`: what `gatepost up` becomes when it has read its command line."""

import sys

from gatepost_cli import console
from gatepost_cli.supervisor import launch
from gatepost_cli.supervisor.options import given

if __name__ == "__main__":
    options = given(sys.argv[1])
    with console.telling_failures(as_json=options.as_json):
        launch.launch(options)
