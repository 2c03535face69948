"""A retired data key remembers that nothing is left under it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("llmconfig", "0008_token_lifetime")]

    operations = [
        migrations.AddField(model_name="datakey", name="resealed_at", field=models.DateTimeField(blank=True, null=True)),
    ]
