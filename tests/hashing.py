"""Feature Hashing in Python, from contracts/feature-hashing.md, with mmh3 for the hash: no code shared with the module."""
import re

import mmh3

QUADRATIC = 27942141


def token_hash(token):
    if re.fullmatch(r"[0-9]+", token):
        return int(token) % 2**32
    return mmh3.hash(token.encode("utf-8"), 0, signed=False)


def counts(text, bits, ngrams=2):
    """The features of a text: index to count, zeros left out."""
    hashes = [token_hash(token) for token in re.split(r"[ \t\r\n]+", text) if token]
    result = {}
    for size in range(1, max(1, ngrams) + 1):
        for start in range(len(hashes) - size + 1):
            value = hashes[start]
            for following in hashes[start + 1:start + size]:
                value = (value * QUADRATIC + following) % 2**32
            index = value & (2**bits - 1)
            result[index] = result.get(index, 0) + 1
    return result
