"""`python -m user_service`: read the settings, then serve until told to stop; with `migrate`, migrate and end."""

import sys

from runtime.service import migrate_only, run
from runtime.settings import load
from user_service.main import NAME, serve
from user_service.settings import UserSettings

if __name__ == "__main__":
    settings = load(UserSettings)
    if sys.argv[1:] == ["migrate"]:
        migrate_only(NAME, settings.users_postgres_dsn.get_secret_value(), "user_service")
    else:
        run(lambda stop: serve(settings, stop))
