"""HTTP: one mail through SES SendEmail, or a personalised batch."""
