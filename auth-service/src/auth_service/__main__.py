"""`python -m auth_service`: read the settings, then serve until told to stop."""

from auth_service.main import serve
from auth_service.settings import AuthSettings
from runtime.service import run
from runtime.settings import load

if __name__ == "__main__":
    settings = load(AuthSettings)
    run(lambda stop: serve(settings, stop))
