"""`python -m all_in_one`: read the settings of all services, then serve until told to stop."""

from all_in_one.main import serve
from all_in_one.settings import load_all
from runtime.service import run

if __name__ == "__main__":
    settings = load_all()
    run(lambda stop: serve(settings, stop))
