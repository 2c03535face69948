"""The Celery application: workers run conversations, beat sweeps."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")  # they import every page and view: 16 MB that a worker never uses

app = Celery("routekit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
