"""`python -m gateway`: read the settings, then serve until told to stop."""

from gateway.main import serve
from gateway.settings import GatewaySettings
from runtime.service import run
from runtime.settings import load

if __name__ == "__main__":
    settings = load(GatewaySettings)
    run(lambda stop: serve(settings, stop))
