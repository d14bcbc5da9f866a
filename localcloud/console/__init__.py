"""The console at ``/``: the mails as they would look, what became of each, and the controls of localcloud."""
