"""Folds the names of rooms that are older than the column."""

from django.db import migrations

from foundation.folded_field import refold


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('rooms', '0004_room_search_name'),
    ]

    operations = [
        refold('rooms', 'Room', source='name', column='search_name'),
    ]
