"""The password hasher: Django's Argon2 with the memory that the deployment sets (PASSWORD_MEMORY_KIB)."""

import unicodedata

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.views.decorators.debug import sensitive_variables


@sensitive_variables()
def normalise(password: str) -> str:
    """The same text from every keyboard: some send é as one character, others as two (NIST SP 800-63B, NFKC)."""
    return unicodedata.normalize("NFKC", password)


class Argon2Hasher(Argon2PasswordHasher):
    """Hashes normalised passwords, and checks those too that were hashed as they were sent.

    A hash names its parameters, so hashes from before a change of the setting still work. They are renewed when
    their users log in.
    """

    memory_cost: int = settings.PASSWORD_MEMORY_KIB

    @sensitive_variables()
    def encode(self, password: str, salt: str) -> str:
        normalised = normalise(password)
        if normalised != password:
            # For an unknown email Django only hashes. It must take as long as a check of two forms.
            super().encode(password, salt)
        return super().encode(normalised, salt)

    @sensitive_variables()
    def verify(self, password: str, encoded: str) -> bool:
        normalised = normalise(password)
        return super().verify(normalised, encoded) or (
            normalised != password and super().verify(password, encoded)
        )
