"""The WSGI environment of an ASGI request."""

import sys
from typing import IO, Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from core.serving.limits import IN_MEMORY

Scope = dict[str, Any]
Environ = dict[str, Any]


def in_large_blocks(file: Any, block_size: int = 0) -> FileWrapper:
    """Return the parts of a file. Django would read 4 kB at a time."""
    return FileWrapper(file, IN_MEMORY)


SAME_FOR_ALL = {
    "wsgi.file_wrapper": in_large_blocks,
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers by their names in WSGI, a repeated one's values joined.

    A name with an underscore is left out. WSGI can't tell it from the name with a hyphen, which a
    proxy may have set.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if b"_" not in raw_name:
            name = "HTTP_" + raw_name.decode("latin-1").upper().replace("-", "_")
            value = raw_value.decode("latin-1")
            glue = "; " if name == "HTTP_COOKIE" else ","
            found[name] = f"{found[name]}{glue}{value}" if name in found else value
    return found


def is_ambiguous(headers: dict[str, str]) -> bool:
    """Return whether another server could find another end of the request's body."""
    length, coding = headers.get("HTTP_CONTENT_LENGTH"), headers.get("HTTP_TRANSFER_ENCODING")
    if length and coding:
        return True
    return not is_number(length or "0") or (coding or "chunked").lower() != "chunked"


def has_body(scope: Scope, headers: dict[str, str]) -> bool:
    """Return whether a body may come. HTTP/1 has none without a header that says where it ends."""
    said = "HTTP_CONTENT_LENGTH" in headers or "HTTP_TRANSFER_ENCODING" in headers
    return said or not scope["http_version"].startswith("1")


def is_number(text: str) -> bool:
    """Return whether the text has nothing but the digits 0 to 9."""
    return text.isascii() and text.isdigit()


def announced_length(headers: dict[str, str]) -> int:
    """Return the length that the request says its body has, or 0 if it says none."""
    return int(headers.get("HTTP_CONTENT_LENGTH", 0))


def environ_of(scope: Scope, headers: dict[str, str], body: IO[bytes], size: int) -> Environ:
    """Return the environment of a request with that body."""
    host, port = (scope.get("server") or ("localhost", 80))[:2]
    return {
        **SAME_FOR_ALL,
        **headers,
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": path_of(scope).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": client_of(scope),
        "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(size),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
    }


def path_of(scope: Scope) -> bytes:
    """Return the path without its percent signs, and without the part that is not the site's."""
    raw = scope.get("raw_path")
    path = unquote_to_bytes(raw) if raw else scope["path"].encode()
    return path.removeprefix(scope.get("root_path", "").encode())


def client_of(scope: Scope) -> str:
    """Return the address of the other end of the connection, or "" for a Unix socket."""
    return (scope.get("client") or ("",))[0] or ""
