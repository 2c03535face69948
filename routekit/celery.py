"""The Celery application: workers run conversations, beat sweeps."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")

app = Celery("routekit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
