"""What SES would refuse, refused before it is asked and before anything is written; ``admission.py`` is the door."""
