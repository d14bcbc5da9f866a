"""Names and keys that localcloud is born with. None of them is a secret; all are documented in docs/localcloud.md."""

SECRET_ID = "AKIDLOCALCLOUD"  # noqa: S105 - documented local key
SECRET_KEY = "localcloud-secret-key"  # noqa: S105 - documented local key
APP_ID = "1250000000"
BUCKET = f"mailtrail-{APP_ID}"
REGION = "ap-guangzhou"
SEND_KEY = "local-send-key"
WEBHOOK_SECRET = "local-webhook-secret"  # noqa: S105 - documented local key
TOKEN_KEY = "local-callback-token-key"  # noqa: S105 - documented local key
SENDCLOUD_USER = "local"
SENDCLOUD_KEY = "local-sendcloud-key"
SENDCLOUD_APP_KEY = "local-sendcloud-app-key"
SES_SITE = "cn"
SENDER_DOMAIN = "mail.example.com"
UTC_OFFSET_S = 8 * 3600
SIMULATOR_DOMAIN = "simulator.mailtrail.test"
PORT = 9000
