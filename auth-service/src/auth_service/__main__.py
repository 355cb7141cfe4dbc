"""`python -m auth_service`: read the settings, then serve until told to stop; with `migrate`, migrate and end."""

import sys

from auth_service.main import NAME, serve
from auth_service.settings import AuthSettings
from runtime.service import migrate_only, run
from runtime.settings import load

if __name__ == "__main__":
    settings = load(AuthSettings)
    if sys.argv[1:] == ["migrate"]:
        migrate_only(NAME, settings.auth_postgres_dsn.get_secret_value(), "auth_service")
    else:
        run(lambda stop: serve(settings, stop))
