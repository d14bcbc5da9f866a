"""HTTP: event callbacks of SES and SendCloud into COS as JSON lines."""
