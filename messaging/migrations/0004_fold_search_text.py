"""Folds the text of rows that are older than the column. Commits page by page: a large table is never locked for long."""

from django.db import migrations, models

from foundation.folded_field import stale


def fold_rows(apps, schema_editor):
    rows = apps.get_model('messaging', 'Message').objects.using(schema_editor.connection.alias)
    for _ in stale(rows.all(), source='content', column='search_text', repair=True):
        pass


def drop_text_index(apps, schema_editor):
    """The index of words that searched messages on MongoDB before the column."""
    if schema_editor.connection.vendor == 'djongo':
        Message = apps.get_model('messaging', 'Message')
        if 'message_text' in schema_editor.connection.indexes(Message._meta.db_table):
            schema_editor.remove_index(Message, models.Index(fields=['content'], name='message_text'))


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('messaging', '0003_message_search_text'),
    ]

    operations = [
        migrations.RunPython(fold_rows, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(drop_text_index, migrations.RunPython.noop, elidable=True),
    ]
