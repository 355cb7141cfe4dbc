"""Requests of the iHopr dialect whose cost is budgeted."""

from budget.cases import Cases, Place, Send, answering, sending

CASES = Cases("ihopr")
_APPS = {"none": "app", "otp": "otp_app", "two-step": "two_step_app"}


@CASES.at("POST /api/v1/login", "policy none", policy="none")
@CASES.at("POST /api/v1/login", "policy otp", policy="otp")
@CASES.at("POST /api/v1/login", "policy two-step", policy="two-step")
async def login(place: Place, policy: str) -> Send:
    app = getattr(place, _APPS[policy])
    person = (await place.ihopr.signup(app))[0] if policy == "none" else (await place.confirmed(app))[0]
    return sending(place.ihopr.login, app, person)


@CASES.at("POST /api/v1/login", "wrong password")
async def login_refused(place: Place) -> Send:
    person = (await place.ihopr.signup(place.app))[0]
    body = place.app.credentials | {"email": person.email, "password": "not-the-password-1"}

    async def send() -> None:
        assert (await place.ihopr.post("login", body)).status == 401

    return send


@CASES.at("POST /api/v1/signup", "policy none", policy="none")
@CASES.at("POST /api/v1/signup", "policy otp", policy="otp")
@CASES.at("POST /api/v1/signup", "policy two-step", policy="two-step")
async def signup(place: Place, policy: str) -> Send:
    return sending(place.ihopr.signup, getattr(place, _APPS[policy]))


@CASES.at("POST /api/v1/otp-code", "after signup", policy="otp")
@CASES.at("POST /api/v1/two-step-auth-code", "after signup", policy="two-step")
async def first_code(place: Place, policy: str) -> Send:
    person, asked = await place.ihopr.signup(getattr(place, _APPS[policy]))
    path, body = answering(asked, await place.ihopr.mailed_code(person.email))
    return sending(place.ihopr.success, "POST", path, body)


@CASES.at("POST /api/v1/otp-code", "after login", policy="otp")
@CASES.at("POST /api/v1/two-step-auth-code", "after login", policy="two-step")
async def later_code(place: Place, policy: str) -> Send:
    app = getattr(place, _APPS[policy])
    person, mails = await place.confirmed(app)
    asked = await place.ihopr.login(app, person)
    path, body = answering(asked, await place.ihopr.mailed_code(person.email, after=mails))
    return sending(place.ihopr.success, "POST", path, body)


@CASES.at("POST /api/v1/send-reset-password-code")
async def send_reset(place: Place) -> Send:
    person = (await place.ihopr.signup(place.app))[0]
    body = place.app.credentials | {"email": person.email}
    return sending(place.ihopr.success, "POST", "send-reset-password-code", body)


@CASES.at("POST /api/v1/reset-password")
async def reset(place: Place) -> Send:
    person = (await place.ihopr.signup(place.app))[0]
    asked = place.app.credentials | {"email": person.email}
    started = await place.ihopr.success("POST", "send-reset-password-code", asked)
    body = {
        "reset_password_token": started["reset_password_token"],
        "reset_password_code": await place.ihopr.mailed_code(person.email, "reset"),
        "password": "another-lantern-43",
    }
    return sending(place.ihopr.success, "POST", "reset-password", body)


@CASES.at("POST /api/v1/api-tauth-token")
async def exchange(place: Place) -> Send:
    _, answer = await place.ihopr.signup(place.app)
    return sending(place.ihopr.exchange, place.app, answer["code"])


@CASES.at("POST /api/v1/refresh-token")
async def refresh(place: Place) -> Send:
    _, tokens = await place.ihopr.signed_in(place.app)
    body = place.app.credentials | {"refresh_token": tokens["refresh_token"]}
    return sending(place.ihopr.success, "POST", "refresh-token", body)


@CASES.at("POST /api/v1/logout", method="POST", path="logout")
@CASES.at("GET /api/v1/user", "new token", method="GET", path="user")
@CASES.at("GET /api/v1/user", "same token", method="GET", path="user", repeated=True)
@CASES.at("PUT /api/v1/user/update", "names", method="PUT", path="user/update", first_name="Bea", last_name="Ray")
@CASES.at("PUT /api/v1/user/update", "password", method="PUT", path="user/update", password="another-lantern-43")
@CASES.at("PUT /api/v1/user/update", "nothing new", method="PUT", path="user/update", first_name="Ann")
@CASES.at("PUT /api/v1/user/update/role", method="PUT", path="user/update/role", role="Editor")
async def with_token(place: Place, method: str, path: str, **body: str) -> Send:
    _, tokens = await place.ihopr.signed_in(place.app)
    return sending(place.ihopr.success, method, path, body or None, tokens["access_token"])
