"""Seals the entries of releases that had no key: one entry with a key follows them. Safe to run again."""

from django.db import migrations

from foundation import times
from foundation.ids import uuid7
from moderation import chain


def seal(apps, schema_editor):
    entries = apps.get_model("moderation", "AuditEntry").objects.using(schema_editor.connection.alias)
    last = entries.order_by("-seq").first()
    if last is None or last.key_id:
        return
    entry = entries.model(
        id=uuid7(),
        at=times.now(),
        actor_name="migrate",
        action=chain.SEAL,
        target_kind="audit",
        target_id=last.pk,
        target_name=f"entries 1 to {last.seq}",
        details={"last": last.seq},
    )
    chain.sign(entry, after=last)
    entry.save(using=schema_editor.connection.alias, force_insert=True)
    chain.log_head(entry)


class Migration(migrations.Migration):
    dependencies = [("moderation", "0002_auditentry_key_id")]
    operations = [migrations.RunPython(seal, migrations.RunPython.noop, elidable=True)]
