"""Django with django-oauth-toolkit, as small as its tutorial: settings, URLs and the WSGI application in one module.

Run by gunicorn in the peers' environment. Environment: PG…, BENCH_SECRET, BENCH_DEFAULTS=1 for its own password hash.
"""

import os
import sys

import django
from django.core.wsgi import get_wsgi_application

sys.modules.setdefault("django_settings", sys.modules[__name__])
SECRET_KEY = os.environ["BENCH_SECRET"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "django_urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["null"]},
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "OPTIONS": {"pool": {"min_size": 2, "max_size": 8}},
    }
}
if os.environ.get("BENCH_DEFAULTS") != "1":
    PASSWORD_HASHERS = ["django_hashers.SameHasher"]
OAUTH2_PROVIDER = {
    "SCOPES": {"read": "Read", "introspection": "Introspect"},
    "ACCESS_TOKEN_EXPIRE_SECONDS": 86_400,
    "ROTATE_REFRESH_TOKEN": True,
    "PKCE_REQUIRED": False,
}

if os.environ.get("BENCH_SERVE") == "1":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_settings")
    application = get_wsgi_application()
    assert django.VERSION  # noqa: S101 imported for its side effects on the registry
