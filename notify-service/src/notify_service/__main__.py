"""`python -m notify_service`: read the settings, then serve until told to stop; with `migrate`, migrate and end."""

import sys

from notify_service.main import NAME, serve
from notify_service.settings import NotifySettings
from runtime.service import migrate_only, run
from runtime.settings import load

if __name__ == "__main__":
    settings = load(NotifySettings)
    if sys.argv[1:] == ["migrate"]:
        migrate_only(NAME, settings.notify_postgres_dsn.get_secret_value(), "notify_service")
    else:
        run(lambda stop: serve(settings, stop))
