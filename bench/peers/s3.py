"""Presigned requests to S3: as much of AWS Signature Version 4, in its query form, as we need.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlencode

REGION = "us-east-1"
EXPIRES_SECONDS = 3600


@dataclass(frozen=True)
class Signer:
    """Signs for one server. `host` is `name:port`."""

    host: str
    access_key: str
    secret_key: str

    def path(self, method: str, path: str) -> str:
        """`path`, which needs no escaping, with the query that allows `method` on it."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        query = urlencode(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{self.access_key}/{scope}",
                "X-Amz-Date": stamp,
                "X-Amz-Expires": EXPIRES_SECONDS,
                "X-Amz-SignedHeaders": "host",
            },
            quote_via=quote,
            safe="",
        )
        headers = f"host:{self.host}\n"
        request = "\n".join([method, path, query, headers, "host", "UNSIGNED-PAYLOAD"])
        digest = sha256(request.encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return f"{path}?{query}&X-Amz-Signature={signature}"
