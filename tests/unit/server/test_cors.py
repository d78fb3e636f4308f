"""Goal: a page of another origin can do all that the published clients do, without a browser.

Method: `Browser` keeps the rules of the Fetch standard: it sends a preflight where one is due,
holds what is asked against what is allowed, and shows of an answer what a script may see.
`tests/interop/test_browser.py` does the same with a real one, where there is one.
"""

from typing import Final, NamedTuple

import pytest
from yarl import URL

from unit.server.running import Service, fresh, raw

ORIGIN: Final = "https://page.example"
CAR_TYPE: Final = "application/vnd.ipld.car"

SAFE_METHODS: Final = {"GET", "HEAD", "POST"}
SAFE_HEADERS: Final = {"accept", "accept-language", "content-language"}
SAFE_TYPES: Final = {"text/plain", "multipart/form-data", "application/x-www-form-urlencoded"}
FORBIDDEN: Final = {"content-length", "host", "origin", "connection", "cookie"}
"""Headers that a script cannot set: what it says is dropped, and the browser says its own."""


class CorsError(Exception):
    """The browser keeps the answer from the page."""


class Seen(NamedTuple):
    """An answer, as the page sees it."""

    status: int
    headers: dict[str, str]
    body: bytes
    preflight: bool


class Browser:
    """A page of another origin, that asks without credentials."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def url_of(self, place: str) -> URL:
        """Of a path, or of a URL that was signed."""
        return raw(self.service.url + place if place.startswith("/") else self.service.at(place))

    async def fetch(
        self, url: str, method: str = "GET", body: bytes | None = None, **given: str
    ) -> Seen:
        """Header names are given with `_` for `-`. Raises `CorsError`."""
        headers = {name.replace("_", "-"): value for name, value in given.items()}
        headers = {name: value for name, value in headers.items() if name not in FORBIDDEN}
        unsafe = sorted(name for name, value in headers.items() if not is_safe(name, value))
        preflight = bool(unsafe) or method not in SAFE_METHODS
        if preflight:
            await self.ask_first(url, method, unsafe)
        request = self.service.http.request(
            method, self.url_of(url), data=body, headers={"origin": ORIGIN} | headers
        )
        async with request as answer:
            check_origin(answer.headers.get("access-control-allow-origin"))
            exposed = answer.headers.get("access-control-expose-headers", "")
            shown = {
                name.lower(): value
                for name, value in answer.headers.items()
                if exposed == "*" or name.lower() in exposed
            }
            return Seen(answer.status, shown, await answer.read(), preflight)

    async def ask_first(self, url: str, method: str, unsafe: list[str]) -> None:
        headers = {"origin": ORIGIN, "access-control-request-method": method}
        if unsafe:
            headers["access-control-request-headers"] = ",".join(unsafe)
        asked = self.service.http.options(self.url_of(url), headers=headers)
        async with asked as answer:
            if not 200 <= answer.status < 300:
                raise CorsError(f"the preflight is answered with {answer.status}")
            check_origin(answer.headers.get("access-control-allow-origin"))
            methods = listed(answer.headers.get("access-control-allow-methods", ""))
            if method.lower() not in methods | {each.lower() for each in SAFE_METHODS}:
                raise CorsError(f"{method} is not allowed: {methods}")
            allowed = listed(answer.headers.get("access-control-allow-headers", ""))
            for name in unsafe:
                if name not in allowed and ("*" not in allowed or name == "authorization"):
                    raise CorsError(f"{name} is not allowed: {allowed}")


def is_safe(name: str, value: str) -> bool:
    if name == "content-type":
        return value.partition(";")[0].strip() in SAFE_TYPES
    return name in SAFE_HEADERS


def check_origin(allowed: str | None) -> None:
    if allowed not in ("*", ORIGIN):
        raise CorsError(f"{ORIGIN} is not allowed: {allowed}")


def listed(header: str) -> set[str]:
    return {each.strip().lower() for each in header.split(",")}


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


@pytest.mark.parametrize("more", [{}, {"x_client": "Storacha/1 (js; browser)"}])
async def test_a_page_sends_messages(browser: Browser, more: dict[str, str]) -> None:
    """Both clients send these headers, and one of them its name."""
    headers = {"content_type": CAR_TYPE, "accept": CAR_TYPE, **more}
    seen = await browser.fetch("/", "POST", b"a message", **headers)
    assert (seen.status, seen.preflight) == (200, True)


async def test_a_page_puts_bytes_with_the_headers_it_was_given(
    browser: Browser, service: Service
) -> None:
    """`content-length` is among them: a browser drops it, and sends its own."""
    data = fresh(100_000)
    multihash, upload = service.upload(data)
    headers = {name.replace("-", "_"): value for name, value in upload.headers.items()}
    assert "content_length" in headers
    seen = await browser.fetch(upload.url, "PUT", data, **headers)
    assert (seen.status, seen.preflight) == (200, True)
    assert await service.bucket.stat(multihash) == len(data)


async def test_a_page_is_told_why_its_bytes_are_not_taken(
    browser: Browser, service: Service
) -> None:
    data = fresh(100)
    _, upload = service.upload(data)
    headers = {name.replace("-", "_"): value for name, value in upload.headers.items()}
    seen = await browser.fetch(upload.url, "PUT", data[::-1], **headers)
    assert seen.status == 400
    assert b"BadDigest" in seen.body
    seen = await browser.fetch(f"{upload.url}0", "PUT", data, **headers)
    assert seen.status == 403


async def test_a_page_reads_what_is_stored_and_parts_of_it(
    browser: Browser, service: Service
) -> None:
    data = fresh(1_000)
    place = await service.store(data)
    seen = await browser.fetch(place)
    assert (seen.status, seen.body, seen.preflight) == (200, data, False)
    seen = await browser.fetch(place, range="bytes=10-19", if_match=seen.headers["etag"])
    assert (seen.status, seen.body, seen.preflight) == (206, data[10:20], True)
    assert seen.headers["content-range"] == "bytes 10-19/1000"


@pytest.mark.parametrize(
    "place", ["/receipt/bafyx", "/version", "/.well-known/did.json", "/health"]
)
async def test_a_page_reads_receipts_and_who_the_service_is(browser: Browser, place: str) -> None:
    seen = await browser.fetch(place)
    assert seen.status < 500
    assert seen.headers["x-request-id"]
    assert not seen.preflight


@pytest.mark.parametrize("reading", ["closed"])
async def test_a_page_is_told_that_it_may_not_read(browser: Browser, service: Service) -> None:
    seen = await browser.fetch(await service.store(fresh(10)))
    assert seen.status == 403


async def test_a_page_may_not_do_what_is_not_there(browser: Browser) -> None:
    with pytest.raises(CorsError, match="DELETE is not allowed"):
        await browser.fetch("/", "DELETE")


async def test_no_answer_lets_a_page_use_what_a_browser_knows_of_its_user(
    service: Service,
) -> None:
    """Any origin, and so no credentials: a browser refuses both together."""
    async with service.http.get(raw(f"{service.url}/version")) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "set-cookie" not in answer.headers
