"""The local SES: Tencent Cloud API 3.0, version 2020-10-02."""
