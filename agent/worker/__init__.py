"""The inside of a worker process: one asyncio loop for all network, one thread a run for the database."""
