"""Stores the domains of email addresses in ASCII, as sign-up and login now write them. Safe to run again."""

from django.db import migrations

from accounts.names import fold_email

MAX_EMAIL_CHARS = 254


def fold_domains(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    emails = users.order_by().values_list("pk", "email").iterator()
    # Listed before the updates: no database has to read and write one table at once.
    for pk, email in [(pk, email) for pk, email in emails if not email.isascii()]:
        folded = fold_email(email)
        if folded == email:
            # No domain that IDNA knows. Its user still logs in with it.
            continue
        if users.filter(email=folded).exists() or len(folded) > MAX_EMAIL_CHARS:
            print(f"The email of user {pk} stays: another user has its ASCII form, or that is too long.")
        else:
            users.filter(pk=pk).update(email=folded)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0003_fold_display_name_key")]
    operations = [migrations.RunPython(fold_domains, migrations.RunPython.noop, elidable=True)]
