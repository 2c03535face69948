"""SQLite as a database backend of many writers in one process."""
