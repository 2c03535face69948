from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("llmconfig", "0006_policy_and_invitations"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="token_max_days",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
