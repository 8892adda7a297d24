"""Refuses requests that do not come from pages of this server: browsers let any page send some.

So requests that name another host are refused, and requests to write that come from elsewhere.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
READING = ("GET", "HEAD", "OPTIONS")

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "sandbox allow-scripts allow-downloads"
"""A page among the results runs on its own, as from another site: it cannot exclude ranges."""

FILES = ("/files/", "/source/")


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, and says what pages may load."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = _refusal(scope["method"], Headers(scope=scope))
        if refusal:
            await PlainTextResponse(refusal + "\n", status_code=403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers.setdefault("cache-control", "no-cache")
                of_file = scope["path"].startswith(FILES)
                headers["content-security-policy"] = FILE_POLICY if of_file else PAGE_POLICY
            await send(message)

        await self._app(scope, receive, with_headers)


def _refusal(method: str, headers: Headers) -> str:
    """Why a request is refused; empty if it is not."""
    host = headers.get("host", "")
    if host.rsplit(":", 1)[0] not in HOSTS or len(headers.getlist("host")) != 1:
        return "Open the address that `drive view` printed; this is a different one"
    if method in READING:
        return ""
    if headers.get("origin") != f"http://{host}":
        return "Only the pages of `drive view` may change excluded ranges"
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "Only the pages of `drive view` may change excluded ranges"
    if headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return "Expected JSON (content-type: application/json)"
    return ""
