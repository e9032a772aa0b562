"""Folds the text of messages that are older than the column, and drops the index of words that it replaces."""

from django.db import migrations, models

from foundation.folded_field import refold


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
        refold('messaging', 'Message', source='content', column='search_text'),
        migrations.RunPython(drop_text_index, migrations.RunPython.noop, elidable=True),
    ]
