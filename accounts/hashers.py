"""The password hasher: Django's Argon2 with the memory that the deployment sets (PASSWORD_MEMORY_KIB)."""

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2Hasher(Argon2PasswordHasher):
    """A hash names its parameters, so hashes from before a change of the setting still work.

    They are renewed when their users log in.
    """

    memory_cost: int = settings.PASSWORD_MEMORY_KIB
