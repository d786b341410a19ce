"""What a page says of itself: its digest, and what it allows a browser to run and load."""

import base64
import hashlib
import re

UNSEALED = "0" * 64  # what stands in place of the digest of the page while that is computed
_SEAL = re.compile(r'(<meta name="sha256" content=")[0-9a-f]{64}(">)')


def seal(text: str) -> str:
    """Return a page with its own digest in it."""
    return _SEAL.sub(rf"\g<1>{digest(text)}\g<2>", text, count=1)


def digest(text: str) -> str:
    """Return the SHA-256 of a page, its place for the digest being filled with zeros."""
    return hashlib.sha256(unsealed(text).encode()).hexdigest()


def unsealed(text: str) -> str:
    """Return a page with zeros in place of its own digest."""
    return _SEAL.sub(rf"\g<1>{UNSEALED}\g<2>", text, count=1)


def sealed_with(text: str) -> str | None:
    """Return the digest that a page says it has; ``None`` where it says none."""
    found = re.search(r'<meta name="sha256" content="([0-9a-f]{64})">', text)
    return found[1] if found else None


def policy(style: str, script: str) -> str:
    """Return the content security policy: this style, this script, pictures in the page, and nothing else at all."""
    hashes = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("style", style), ("script", script))
    }
    sources = "; ".join(f"{name}-src 'sha256-{value}'" for name, value in hashes.items())
    return f"default-src 'none'; {sources}; img-src data:; base-uri 'none'; form-action 'none'"
