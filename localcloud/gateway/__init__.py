"""How SCF calls the functions: routes and timers of serverless.yml, the event shapes, a warm Python runtime."""
