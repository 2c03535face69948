"""What every REST view of routekit shares: who asks, what is allowed, how a list, an error and a repeated POST look."""
