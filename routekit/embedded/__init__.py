"""`make up`: one process that prepares `$ROUTEKIT_HOME`, starts all services, keeps them running and stops them. It loads no Django."""
