"""`python -m user_service`: read the settings, then serve until told to stop."""

from runtime.service import run
from runtime.settings import load
from user_service.main import serve
from user_service.settings import UserSettings

if __name__ == "__main__":
    settings = load(UserSettings)
    run(lambda stop: serve(settings, stop))
