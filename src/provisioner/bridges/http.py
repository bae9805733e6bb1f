"""HTTP to services outside: one POST, within a deadline that covers all of it, and an answer of bounded size.

Nothing comes from the environment (no proxy, no .netrc) and no redirect is followed: the address in the settings is the
address that is asked.
"""

from __future__ import annotations

from threading import Thread

import requests

from provisioner.errors import NoAnswer
from provisioner.model.witnessing import Answer


def post(url: str, body: bytes, *, content_type: str, seconds: float, limit: int) -> Answer:
    """Send `body` and return the answer, whatever its status.

    Raises NoAnswer when there is none within `seconds` (name resolution and a peer that drips included), or it is
    longer than `limit` bytes. The waiting is left to a thread that ends with the process.
    """
    ended: list[Answer | str] = []

    def ask() -> None:
        try:
            ended.append(_ask(url, body, content_type=content_type, seconds=seconds, limit=limit))
        except Exception as error:  # a peer's bytes make requests and urllib3 raise almost anything
            ended.append(_reason(error))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    answer = ended[0] if ended else f"no answer within {seconds:g} s"
    if isinstance(answer, str):
        raise NoAnswer(f"{url}: {answer}")
    return answer


def _ask(url: str, body: bytes, *, content_type: str, seconds: float, limit: int) -> Answer:
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Content-Type": content_type, "User-Agent": "provisioner", "Accept-Encoding": "identity"}
        with session.post(
            url, data=body, headers=headers, timeout=seconds, stream=True, allow_redirects=False
        ) as answer:
            said = answer.raw.read(limit + 1, decode_content=False)
            if len(said) > limit:
                raise ValueError(f"the answer is longer than {limit} bytes")
            return Answer(answer.status_code, answer.headers.get("Content-Type", ""), said)


def _reason(error: Exception) -> str:
    """Return what went wrong on one line: the innermost cause, such as `Connection refused`."""
    inner: BaseException = error
    while True:
        named = getattr(inner, "reason", None)
        cause = named if isinstance(named, BaseException) else inner.__cause__ or inner.__context__
        if cause is None:
            break
        inner = cause
    said = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return " ".join(f"{type(error).__name__}: {said}".split())[:300]
