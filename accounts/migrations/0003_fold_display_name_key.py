"""Folds the accents of display names in their keys."""

from django.db import migrations

from accounts.names import search_key
from foundation.folded_field import stale


def fold_keys(apps, schema_editor):
    users = apps.get_model('accounts', 'User').objects.using(schema_editor.connection.alias)
    for _ in stale(users.all(), source='display_name', column='display_name_key', key=search_key, repair=True):
        pass


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('accounts', '0002_signing_seed'),
    ]

    operations = [
        migrations.RunPython(fold_keys, migrations.RunPython.noop, elidable=True),
    ]
