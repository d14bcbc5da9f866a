"""How we are called: trigger events, settings, log lines."""
