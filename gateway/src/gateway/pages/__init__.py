"""The pages people meet, as one value of the kind that dialects are: below their own paths, and below `/t/{project}`.

A module of pages has its routes in `ROUTES` and is listed here; every form is checked to be ours in one place
(`web.forms.protected`).
"""

from gateway.dialect import Dialect
from gateway.pages import (
    account,
    account_apps,
    account_data,
    account_delete,
    account_email,
    account_password,
    account_phone,
    account_picture,
    account_profile,
    account_sessions,
    apps,
    apps_new,
    apps_secrets,
    apps_settings,
    assets,
    errors,
    links,
    pictures,
    recovery,
    sign_in,
    sign_up,
)
from gateway.web.forms import protected

PAGES = Dialect(
    name="pages",
    prefixes=(
        "/sign-in",
        "/sign-up",
        "/sign-out",
        "/forgot-password",
        "/reset-password",
        "/confirm-email",
        "/undo-email-change",
        "/keep-account",
        "/account",
        "/apps",
        "/developers",
        "/pictures",
        "/assets",
    ),
    routes=protected(
        (
            *assets.ROUTES,
            *pictures.ROUTES,
            *sign_in.ROUTES,
            *sign_up.ROUTES,
            *recovery.ROUTES,
            *links.ROUTES,
            *account.ROUTES,
            *account_apps.ROUTES,
            *account_data.ROUTES,
            *account_delete.ROUTES,
            *account_email.ROUTES,
            *account_password.ROUTES,
            *account_phone.ROUTES,
            *account_picture.ROUTES,
            *account_profile.ROUTES,
            *account_sessions.ROUTES,
            *apps.ROUTES,
            *apps_new.ROUTES,
            *apps_secrets.ROUTES,
            *apps_settings.ROUTES,
        )
    ),
    errors=errors.ERRORS,
    error_body=errors.body,
    cors=False,
    mountable=True,
    everywhere=True,
)
