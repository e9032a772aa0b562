"""Folds the text of rows that are older than the column. Commits page by page: a large table is never locked for long."""

from django.db import migrations

from foundation.folded_field import stale


def fold_rows(apps, schema_editor):
    rows = apps.get_model('rooms', 'Room').objects.using(schema_editor.connection.alias)
    for _ in stale(rows.all(), source='name', column='search_name', repair=True):
        pass


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('rooms', '0004_room_search_name'),
    ]

    operations = [
        migrations.RunPython(fold_rows, migrations.RunPython.noop, elidable=True),
    ]
