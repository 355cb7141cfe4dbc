"""What a service's refusal means to the person at the terminal: the reason, as one sentence.

`operate` calls this. A service's own sentence is kept where it says more than the name of its reason.
"""

from collections.abc import Mapping

from gatepost_cli.errors import CommandFailed
from runtime.errors import GatepostError, Reason

SENTENCES: Mapping[Reason, str] = {
    Reason.EMAIL_TAKEN: "another account of the project has this e-mail address",
    Reason.USERNAME_TAKEN: "another account of the project has this user name",
    Reason.WEAK_PASSWORD: "the password is too weak",
    Reason.ROLE_UNKNOWN: "the project has no such role",
    Reason.NOT_FOUND: "there is no such thing",
    Reason.ALREADY_EXISTS: "there is one of this name already",
    Reason.CONFLICT: "it was changed by somebody else at the same time, or is not in a state that allows this",
    Reason.INVALID_PARAMETER: "a value cannot be taken",
    Reason.MISSING_PARAMETER: "a value is missing",
    Reason.RATE_LIMITED: "too many tries; wait a little",
    Reason.OVERLOADED: "the service is overloaded; try again",
    Reason.UNAVAILABLE: "a service cannot be reached; `gatepost status` and `gatepost doctor` say which and why",
    Reason.DEADLINE_EXCEEDED: "a service did not answer in time; `gatepost doctor` looks for the reason",
    Reason.CALLER_REFUSED: "the service does not accept our credential: its GATEPOST_SERVICE_KEYS are not ours, "
    "or its clock differs by more than ten minutes",
    Reason.INTERNAL: "the service failed; its log says why",
}


def explained(error: GatepostError) -> CommandFailed:
    """Return the failure to show: the sentence, the fields at fault below it, and both for programs."""
    bare = error.reason.value.replace("_", " ")
    sentence = error.message if error.message and error.message != bare else SENTENCES.get(error.reason, bare)
    if error.reason in {Reason.UNAVAILABLE, Reason.CALLER_REFUSED}:
        sentence = SENTENCES[error.reason]
    elif len(error.violations) == 1 and sentence == SENTENCES.get(error.reason):
        sentence = error.violations[0].description
    elif len(error.violations) > 1:
        sentence = f"{sentence}: {'; '.join(violation.description for violation in error.violations)}"
    violations = [
        {"field": violation.field, "rule": violation.rule.value, "description": violation.description}
        for violation in error.violations
    ]
    return CommandFailed(
        sentence.rstrip("."), facts={"reason": error.reason.value, **({"violations": violations} if violations else {})}
    )
