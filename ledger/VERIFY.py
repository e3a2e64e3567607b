#!/usr/bin/env python3
"""Verifies an archive of a Jinku ledger with Python's standard library alone.

    python3 VERIFY.py ARCHIVE NAME+HASH+KEY

The key (`name+hash+base64`) comes from you, never from the archive; where it was handed over, the statements in
`signers` lead to the one that signs now. Checked: the Ed25519 signature of `checkpoint`, those statements, every
entry's index and link, every hash tile, the root, every entry's items. Not checked, and said below the verdict: what
entries say, archived checkpoints, witnesses, second signatures, time stamps; `jinku-ledger verify` does all of it.
Exit codes: 0 verified, 2 tampered, 3 not trusted, 5 incomplete.
"""
import base64
import hashlib
import os
import sys


STATEMENT = "jinku/signer-rotate/v1"


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


# Ed25519 (RFC 8032 section 6), for the few signatures there are to check.
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


def opened(note, vkey, what):
    """The text of a note, if the key signed it."""
    name, _, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[:1] != b"\x01" or len(key) != 33:
        raise Fault(3, "the key is not an Ed25519 key")
    identity = sha256(name.encode(), b"\n", key)[:4]
    if not note.endswith("\n"):
        raise Fault(3, what + ": cut short")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines():
        dash, signer, blob = (line.split(" ") + ["", ""])[:3]
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4] == identity:
            if not signed(key[1:], text.encode(), blob[4:]):
                raise Fault(3, what + ": the signature does not hold")
            return text
    raise Fault(3, what + ": not signed by this key")


def handovers(folder, vkey):
    """The statements by which the key was handed over: (entry, old key, new key, note), each signed by both."""
    if not os.path.lexists(os.path.join(folder, "signers")):
        return []
    rest, chain = read(folder, "signers"), []
    while rest:
        length, _, rest = rest.partition(b"\n")
        if length[:1] != b"#":
            raise Fault(3, "signers: cannot be cut into statements")
        note, rest = rest[: int(length[1:])].decode(), rest[int(length[1:]) :]
        lines = note.rpartition("\n\n")[0].split("\n")
        if [line.partition(" ")[0] for line in lines] != [STATEMENT, "origin", "entry", "old", "new"]:
            raise Fault(3, "signers: not a statement of a new key")
        origin, seq, old, new = (line.partition(" ")[2] for line in lines[1:])
        opened(note, old, "signers")
        opened(note, new, "signers")
        if {origin, old.split("+")[0], new.split("+")[0]} != {vkey.split("+")[0]}:
            raise Fault(3, "signers: of another log")
        if chain and (old != chain[-1][2] or int(seq) <= chain[-1][0] or new in [step[1] for step in chain]):
            raise Fault(3, "signers: not a chain of keys, one after another")
        chain.append((int(seq), old, new, note))
    if chain and vkey not in [chain[0][1]] + [step[2] for step in chain]:
        raise Fault(3, "signers: neither begin with the key nor lead to it")
    return chain


def open_checkpoint(note, vkey, chain):
    origin, size, head = note.split("\n")[:3]
    key = chain[0][1] if chain else vkey
    for seq, _, new, _ in chain:
        # Up to the entry that carries the statement the old key signs.
        key = new if int(size) > seq + 1 else key
    if chain and chain[-1][0] >= int(size):
        raise Fault(3, "signers: the log has no entry %d to carry its statement" % chain[-1][0])
    text = opened(note, key, "checkpoint")
    if origin != vkey.split("+")[0] or text.count("\n") != 3:
        raise Fault(3, "checkpoint: of another log, or not of three lines")
    return origin, int(size), base64.b64decode(head, validate=True)


def uint(data, at):
    """An unsigned integer of CBOR and where it ends."""
    low = data[at] & 31
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
    return (int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else low), at + 1 + width


def seq_and_prev(entry):
    """The values of keys 1 and 2: the map's first three keys are 0, 1 and 2 (FORMAT.cddl)."""
    seq, at = uint(entry, 4)
    if entry[0] >> 5 != 5 or entry[1:4] not in (b"\x00\x01\x01", b"\x00\x02\x01") or entry[at : at + 3] != b"\x02\x58\x20":
        raise ValueError
    return seq, entry[at + 3 : at + 35]


def skip(data, at):
    """Where the value that begins there ends."""
    kind = data[at] >> 5
    value, at = uint(data, at)
    if kind in (2, 3):
        return at + value
    for _ in range(value * {4: 1, 5: 2}.get(kind, 0)):
        at = skip(data, at)
    return at


def batch(entry):
    """The value of key 15: how many items the entry has, and the root over them."""
    pairs, at = uint(entry, 0)
    for _ in range(pairs if b"\x0f\x82" in entry else 0):
        key, at = uint(entry, at)
        if key == 15:
            count, at = uint(entry, at + 1)
            return count, entry[at + 2 : at + 34]
        at = skip(entry, at)
    return 0, root([])


def cut(data, width, prefix=2):
    """As many parts, each behind its length; with no number all there are."""
    at = 0
    while width != 0 and (width is not None or at < len(data)):
        length = int.from_bytes(data[at : at + prefix], "big")
        if at + prefix + length > len(data):
            raise ValueError
        yield data[at + prefix : at + prefix + length]
        at += prefix + length
        width = width and width - 1


def used_up(path, data, used, width):
    """Only in a full file that stands in for a narrower one may bytes be left."""
    if used < len(data) and (width == 256 or ".p/" in path):
        raise Fault(2, path + ": bytes behind the last part")


def check_items(folder, n, stated):
    """What is kept beside a bundle's entries are as many items as they state, under the root that they state."""
    if not any(count for count, _ in stated):
        return
    path, kept = read_width(folder, "items/" + index_path(n), len(stated))
    used = 0
    try:
        for index, (items, (count, head)) in enumerate(zip(cut(kept, len(stated), 4), stated)):
            used += 4 + len(items)
            hashes = [sha256(b"\x00", item) for item in cut(items, None)]
            if (len(hashes), root(hashes)) != (count, head):
                raise Fault(2, "%s: not the items that entry %d states" % (path, 256 * n + index))
        used_up(path, kept, used, len(stated))
    except ValueError:
        raise Fault(2, path + ": cannot be cut into items") from None


def hands_over(entry, seq, stated, last):
    """Each statement is the entry that it names, and no other hands over; the newest may not be in `signers` yet."""
    carries = STATEMENT.encode() + b"\n" in entry and b"\nentry %d\n" % seq in entry
    if seq in stated and stated[seq].encode() not in entry:
        raise Fault(3, "signers: entry %d does not carry its statement" % seq)
    if carries and seq not in stated and not last:
        raise Fault(3, "entry %d hands the log over to another key, and `signers` does not say so" % seq)


def leaves(folder, origin, size, chain):
    stated = {seq: note for seq, _, _, note in chain}
    before = sha256(b"genesis\n", origin.encode())
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        path, bundle = read_width(folder, "tile/entries/" + index_path(n), width)
        batches, used = [], 0
        try:
            for index, entry in enumerate(cut(bundle, width)):
                used += 2 + len(entry)
                batches.append(batch(entry))
                hands_over(entry, 256 * n + index, stated, 256 * n + index + 1 == size)
                if seq_and_prev(entry) != (256 * n + index, before):
                    raise Fault(2, "%s: entry %d does not stand or link where it should" % (path, 256 * n + index))
                before = sha256(b"\x00", entry)
                yield before
        except (ValueError, IndexError, RecursionError):
            raise Fault(2, path + ": cannot be cut into entries") from None
        used_up(path, bundle, used, width)
        check_items(folder, n, batches)


def below(folder, name):
    """How many files stand below a folder of the archive."""
    return sum(len(files) for _, _, files in os.walk(os.path.join(folder, name)))


def not_looked_at(folder, note):
    """What this verdict says nothing about, as far as it is there."""
    yield "what entries say (operations, times, epochs of pseudonyms, incarnations, reasons)"
    lines = note.rpartition("\n\n")[2].splitlines()
    if len(lines) > 1:
        yield "%d more lines below the checkpoint (witnesses, a second signature, another key's)" % (len(lines) - 1)
    for name, what in (("checkpoints", "files of earlier checkpoints"), ("stamps", "time stamps")):
        if below(folder, name):
            yield "%d %s" % (below(folder, name), what)
    yield "whether others were shown another log (only witnesses, or an earlier checkpoint of yours, tell that)"


def verify(folder, vkey):
    try:
        chain = handovers(folder, vkey)
        note = read(folder, "checkpoint").decode()
        origin, size, head = open_checkpoint(note, vkey, chain)
    except ValueError:
        raise Fault(3, "checkpoint or key: cannot be read") from None
    level, hashes = 0, list(leaves(folder, origin, size, chain))
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
    return origin, size, head, note


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        origin, size, head, note = verify(sys.argv[1], sys.argv[2])
    except Fault as fault:
        print("NOT VERIFIED:", fault)
        return fault.exit_code
    print("verified: %s, %d entries, root %s" % (origin, size, head.hex()))
    for unseen in not_looked_at(sys.argv[1], note):
        print("not looked at:", unseen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
