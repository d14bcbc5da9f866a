"""``POST /tasks``: one mail to many, by a list at SES and a batch task. Imported only when it is asked for."""
