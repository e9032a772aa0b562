"""Folds the accents of display names in their keys."""

from django.db import migrations

from accounts.names import search_key
from foundation.folded_field import refold


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('accounts', '0002_signing_seed'),
    ]

    operations = [
        refold('accounts', 'User', source='display_name', column='display_name_key', key=search_key),
    ]
