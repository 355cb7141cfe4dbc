"""Everything that takes more than one step, as a client does it that tries again when it is not answered.

A flow begins with `start`, which is not disturbed. `go` may be repeated after a refusal, unless it is `done`: then it
had happened, and the answer was lost. In the end it is done, and the person is `whole`.
"""

from typing import Protocol

from dialects.ihopr_client import App
from faults.crash_market import PushedSignIn, SignInByFacebook, SignUpByFacebook
from faults.crash_own import (
    Deletion,
    LogOut,
    NewName,
    NewPassword,
    NewRole,
    Refresh,
    Reset,
    SignIn,
    SignInByCode,
    SignInInTwoSteps,
    SignUp,
    SignUpByCode,
    SignUpInTwoSteps,
)
from faults.crash_pages import Close, Consent, Move, NewPicture, Phone, Picture, Register, Undo, Withdraw
from faults.crash_world import World


class Flow(Protocol):
    """Something that somebody does."""

    email: str
    """Whose account it is about, in the end."""

    def app(self, world: World) -> App:
        """Return an app of the project it happens in."""

    async def start(self, world: World) -> None:
        """Make who does it."""

    async def go(self, world: World) -> None:
        """Do it; raises RefusedError."""

    async def done(self, world: World) -> bool:
        """Say whether it has happened."""


FLOWS: tuple[type[Flow], ...] = (
    SignUp,
    SignUpByCode,
    SignUpInTwoSteps,
    SignIn,
    SignInByCode,
    SignInInTwoSteps,
    Refresh,
    LogOut,
    NewPassword,
    Reset,
    NewName,
    NewRole,
    Deletion,
    Move,
    Undo,
    Close,
    Register,
    Consent,
    Withdraw,
    Picture,
    NewPicture,
    Phone,
)
FLOWS_OUTSIDE: tuple[type[Flow], ...] = (Reset, NewPicture, Phone, PushedSignIn, SignUpByFacebook, SignInByFacebook)
"""Those that reach what is outside, where there is something."""
