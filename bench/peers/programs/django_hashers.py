"""Argon2id with our parameters, for the Django peer."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class SameHasher(Argon2PasswordHasher):
    """The documented way to other parameters."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
