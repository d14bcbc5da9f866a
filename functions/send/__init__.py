"""HTTP: one mail through SES SendEmail."""
