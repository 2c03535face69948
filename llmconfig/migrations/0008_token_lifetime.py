from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("llmconfig", "0007_rotation_of_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="token_max_days",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
