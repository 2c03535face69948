from django.db import migrations, models


class Migration(migrations.Migration):
    """Which token a run was started with: once that is revoked, the run ends."""

    dependencies = [("agent", "0006_runs_outlive_their_user")]

    operations = [
        migrations.AddField(model_name="run", name="token", field=models.UUIDField(blank=True, null=True)),
    ]
