from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agent", "0003_attachments"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="reasoning",
            field=models.JSONField(blank=True, help_text="How much the model may think. Null: its default.", null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="reasoning",
            field=models.JSONField(blank=True, help_text="How much the model may think. Null: its default.", null=True),
        ),
    ]
