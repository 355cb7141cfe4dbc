"""Fills the Django peer: `python django_seed.py people COUNT PASSWORD` once, then `codes COUNT` or `refresh COUNT`.

`people` prints `{"client_id", "password_client_id", "access": […], "checker": token}`; the others a JSON list.
"""

import json
import secrets
import sys
from datetime import timedelta

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 needs the setup
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken  # noqa: E402

REDIRECT = "https://app.example.com/callback"
END = timezone.now() + timedelta(days=1)


def people(count: int, password: str) -> object:
    """Make tables, users, apps and an access token for each user."""
    call_command("migrate", verbosity=0)
    hashed = make_password(password)
    users = [User(username=f"user{n}", email=f"user{n}@example.com", password=hashed) for n in range(count)]
    User.objects.bulk_create(users)
    apps = [
        # The secret is kept as it is: the toolkit would hash it like a password, at the price of one for each request.
        Application.objects.create(
            name=kind,
            client_type="confidential",
            authorization_grant_type=kind,
            client_id=kind,
            client_secret="bench-secret",  # noqa: S106 of a database that lives for minutes
            hash_client_secret=False,
            redirect_uris=REDIRECT,
        )
        for kind in ("authorization-code", "password")
    ]
    access = tokens(apps[0], users, "read")
    return {"client_id": apps[0].client_id, "access": access, "checker": tokens(apps[0], users[:1], "introspection")[0]}


def tokens(app: Application, users: list[User], scope: str) -> list[str]:
    """Make an access token for each user."""
    rows = [
        AccessToken(user=user, application=app, token=secrets.token_hex(20), scope=scope, expires=END) for user in users
    ]
    AccessToken.objects.bulk_create(rows)
    return [row.token for row in rows]


def codes(count: int) -> object:
    """Make codes."""
    app, users = Application.objects.get(client_id="authorization-code"), list(User.objects.all()[:2000])
    rows = [
        Grant(
            user=users[n % len(users)],
            application=app,
            code=secrets.token_hex(16),
            expires=END,
            redirect_uri=REDIRECT,
            scope="read",
        )
        for n in range(count)
    ]
    Grant.objects.bulk_create(rows)
    return [row.code for row in rows]


def refresh(count: int) -> object:
    """Make refresh tokens, each with its access token."""
    app, users = Application.objects.get(client_id="authorization-code"), list(User.objects.all()[:count])
    made = AccessToken.objects.filter(token__in=tokens(app, users, "read")).select_related("user")
    rows = [
        RefreshToken(user=access.user, application=app, token=secrets.token_hex(20), access_token=access)
        for access in made
    ]
    RefreshToken.objects.bulk_create(rows)
    return [row.token for row in rows]


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2])
    print(
        json.dumps(
            people(number, sys.argv[3]) if what == "people" else {"codes": codes, "refresh": refresh}[what](number)
        )
    )
