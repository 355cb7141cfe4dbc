"""`python -m auth_service`: read the settings, then serve until told to stop. By hand: `migrate [N]` and end.

`history N` tells on stdout what happened after event N, `restored` reads it on stdin (see `restoration`).
"""

import sys

from auth_service.settings import AuthSettings
from runtime.service import migrate_only, once, run
from runtime.settings import load


def main() -> None:
    """Do what the command line says."""
    settings = load(AuthSettings)
    if sys.argv[1:2] == ["migrate"]:
        migrate_only("auth-service", settings.auth_postgres_dsn.get_secret_value(), "auth_service", *sys.argv[2:])
        return
    from auth_service.main import NAME, history, restored, serve  # noqa: PLC0415 a second that migrating need not wait

    match sys.argv[1:]:
        case ["history", since]:
            once(NAME, "tell the history", history(settings, int(since), sys.stdout))
        case ["restored"]:
            once(NAME, "settle what was restored", restored(settings, sys.stdin, sys.stdout))
        case _:
            run(lambda stop: serve(settings, stop))


if __name__ == "__main__":
    main()
