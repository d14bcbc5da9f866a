"""The local SendCloud: ``/apiv2`` and ``/api``, and its signed webhooks."""
