"""Addresses of servers, which may hold a password: checked, without it, and as they may be shown."""

import os
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ablation.errors import UserError

SECRET = ("pass", "secret", "token", "key")
"""What the name of a parameter has in it whose value is not to be shown."""


def named(variable: str, own: str, advice: str) -> str:
    """The address that the environment names in `variable`, else `own`; what is none is a `UserError`."""
    address = os.environ.get(variable)
    if address is None:
        return own
    try:
        make_url(address)
        _ = urlsplit(address).port
    except (ArgumentError, ValueError):
        # Neither the address nor the error, which quotes it: what stands before the last @ may be a password.
        rest = address.rpartition("@")[2] if "://" not in address else "one that cannot be read"
        raise UserError(
            f"{variable} wants an address such as http://host:5000, but is {rest!r}: {advice}"
        ) from None
    return address


def without_credentials(address: str) -> str:
    """An address of HTTP without user and password, which MLflow is told by the environment instead.

    Its errors quote the whole address, and they come into logs and into the tags of runs.
    """
    parts = urlsplit(address)
    if not address.startswith("http") or "@" not in parts.netloc:
        return address
    credentials, _, host = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(user)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    return parts._replace(netloc=host).geturl()


def shown(address: str) -> str:
    """The address without its password, and without parameters, which may hold one."""
    return make_url(address).set(query={}).render_as_string(hide_password=True)


def hidden(text: str, address: str) -> str:
    """The first line of `text`, what a library says of the address, with no secret of it."""
    url = make_url(address)
    secrets = [url.password, *(v for k, v in url.query.items() if any(word in k.lower() for word in SECRET))]
    line = next(iter(text.splitlines()), "").rstrip(".")
    for secret in filter(None, map(str, filter(None, secrets))):
        line = line.replace(quote(secret, safe=""), "***").replace(secret, "***")
    return line
