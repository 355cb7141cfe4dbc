"""`python -m user_service`: read the settings, then serve until told to stop. By hand: `migrate [N]` and end.

`read`, `write` and `keep` move pictures' files (see `copying`).
"""

import sys

from runtime.service import migrate_only, once, run
from runtime.settings import load
from user_service.settings import UserSettings


def main() -> None:
    """Do what the command line says."""
    settings = load(UserSettings)
    if sys.argv[1:2] == ["migrate"]:
        migrate_only("user-service", settings.users_postgres_dsn.get_secret_value(), "user_service", *sys.argv[2:])
        return
    from user_service.main import NAME, copied, serve  # noqa: PLC0415 half a second that migrating need not wait

    match sys.argv[1:]:
        case ["read" | "write" | "keep" as what]:
            once(NAME, f"{what} pictures", copied(settings, what))
        case _:
            run(lambda stop: serve(settings, stop))


if __name__ == "__main__":
    main()
