"""routekit: AI agents over your own tools, with your own provider keys."""
