#!/usr/bin/env python3
"""Verifies an archive of a Jinku ledger with Python's standard library alone.

    python3 VERIFY.py ARCHIVE NAME+HASH+KEY

The key (`name+hash+base64`) comes from you, never from the archive. Checked: the Ed25519 signature of
`checkpoint`, every entry's index and link, every hash tile, the root. Not checked: the inner fields of entries,
items, archived checkpoints, witnesses; `jinku-ledger verify` does all of it.
Exit codes: 0 verified, 2 tampered, 3 not trusted, 5 incomplete.
"""
import base64
import hashlib
import os
import sys


class Fault(Exception):
    def __init__(self, exit_code, message):
        super().__init__(message)
        self.exit_code = exit_code


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def node(left, right):
    return sha256(b"\x01", left, right)


def root(hashes):
    """RFC 6962 section 2.1: the largest power of two on the left."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root(hashes[:half]), root(hashes[half:]))


# Ed25519 (RFC 8032 section 6), for the one signature there is to check.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % P, z * t % P, y * z % P, x * t % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def signed(public, message, signature):
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    base_y = 4 * pow(5, P - 2, P) % P
    left = multiply(s, decompress(base_y.to_bytes(32, "little")))
    right = add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P


def read(folder, path):
    full = os.path.join(folder, *path.split("/"))
    if os.path.islink(full) or not os.path.isfile(full):
        raise Fault(5, path + ": not there, or a link")
    with open(full, "rb") as file:
        return file.read()


def read_width(folder, path, width):
    """The file of this width, or the full one where only that is left; only `width` elements are used."""
    partial = "%s.p/%d" % (path, width)
    exact = path if width == 256 else partial
    if width < 256 and not os.path.exists(os.path.join(folder, *partial.split("/"))):
        exact = path
    return exact, read(folder, exact)


def index_path(n):
    path = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        path = "x%03d/%s" % (n % 1000, path)
    return path


def open_checkpoint(note, vkey):
    name, _, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[:1] != b"\x01" or len(key) != 33:
        raise Fault(3, "the key is not an Ed25519 key")
    identity = sha256(name.encode(), b"\n", key)[:4]
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines():
        dash, signer, blob = (line.split(" ") + ["", ""])[:3]
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4] == identity:
            if not signed(key[1:], text.encode(), blob[4:]):
                raise Fault(3, "checkpoint: the signature does not hold")
            origin, size, head = text.split("\n")[:3]
            if origin != name or text.count("\n") != 3:
                raise Fault(3, "checkpoint: of another log, or not of three lines")
            return origin, int(size), base64.b64decode(head, validate=True)
    raise Fault(3, "checkpoint: not signed by this key")


def uint(data, at):
    """An unsigned integer of CBOR and where it ends."""
    low = data[at] & 31
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
    return (int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else low), at + 1 + width


def seq_and_prev(entry):
    """The values of keys 1 and 2: the map's first three keys are 0, 1 and 2 (FORMAT.cddl)."""
    seq, at = uint(entry, 4)
    if entry[0] >> 5 != 5 or entry[1:4] != b"\x00\x01\x01" or entry[at : at + 3] != b"\x02\x58\x20":
        raise ValueError
    return seq, entry[at + 3 : at + 35]


def cut(bundle, width):
    at = 0
    for _ in range(width):
        length = int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 + length > len(bundle):
            raise ValueError
        yield bundle[at + 2 : at + 2 + length]
        at += 2 + length


def leaves(folder, origin, size):
    before = sha256(b"genesis\n", origin.encode())
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        path, bundle = read_width(folder, "tile/entries/" + index_path(n), width)
        try:
            for index, entry in enumerate(cut(bundle, width)):
                if seq_and_prev(entry) != (256 * n + index, before):
                    raise Fault(2, "%s: entry %d does not stand or link where it should" % (path, 256 * n + index))
                before = sha256(b"\x00", entry)
                yield before
        except (ValueError, IndexError):
            raise Fault(2, path + ": cannot be cut into entries") from None


def verify(folder, vkey):
    try:
        origin, size, head = open_checkpoint(read(folder, "checkpoint").decode(), vkey)
    except ValueError:
        raise Fault(3, "checkpoint or key: cannot be read") from None
    level, hashes = 0, list(leaves(folder, origin, size))
    if root(hashes) != head:
        raise Fault(2, "checkpoint: another root than that of the entries")
    while hashes:
        above = []
        for n in range((len(hashes) + 255) // 256):
            part = hashes[256 * n : 256 * n + 256]
            path, tile = read_width(folder, "tile/%d/%s" % (level, index_path(n)), len(part))
            exact = len(part) == 256 or ".p/" in path
            if tile[: 32 * len(part)] != b"".join(part) or (exact and len(tile) != 32 * len(part)):
                raise Fault(2, path + ": not the hashes of what is below")
            if len(part) == 256:
                above.append(root(part))
        level, hashes = level + 1, above
    return origin, size, head


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        origin, size, head = verify(sys.argv[1], sys.argv[2])
    except Fault as fault:
        print("NOT VERIFIED:", fault)
        return fault.exit_code
    print("verified: %s, %d entries, root %s" % (origin, size, head.hex()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
