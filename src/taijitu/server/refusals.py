"""Refusals at the door for bytes, in S3's form: a code for programs, a sentence for people."""

from typing import Final
from xml.sax.saxutils import escape

from taijitu.server.http import HttpAnswer, Request
from taijitu.server.limits import RETRY_AFTER

XML: Final = "application/xml"


def refusal(request: Request, status: int, code: str, text: str) -> HttpAnswer:
    """An S3 error document with one of S3's error codes."""
    headers = {"content-type": XML}
    if status == 503:
        headers["retry-after"] = RETRY_AFTER
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(text)}</Message>"
        f"<Resource>{escape(request.raw_path)}</Resource>"
        f"<RequestId>{request.id}</RequestId></Error>\n"
    )
    return HttpAnswer(status, headers, body.encode())
