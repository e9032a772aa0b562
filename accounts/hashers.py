"""How a password's hash is made: Django's Argon2, with as much memory as the deployment gives it.

Knows one setting; must not know users, and what is hashed when (passwords.py).
"""

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2Hasher(Argon2PasswordHasher):
    """A hash says what it was made with, so that those made before the setting was changed are still good, and
    are made anew when their owners log in."""

    memory_cost: int = settings.PASSWORD_MEMORY_KIB
