"""`python -m notify_service`: read the settings, then serve until told to stop; with `migrate [N]`, migrate and end."""

import sys

from notify_service.settings import NotifySettings
from runtime.service import migrate_only, run
from runtime.settings import load


def main() -> None:
    """Do what the command line says."""
    settings = load(NotifySettings)
    if sys.argv[1:2] == ["migrate"]:
        migrate_only("notify-service", settings.notify_postgres_dsn.get_secret_value(), "notify_service", *sys.argv[2:])
        return
    from notify_service.main import serve  # noqa: PLC0415 half a second that migrating need not wait for

    run(lambda stop: serve(settings, stop))


if __name__ == "__main__":
    main()
