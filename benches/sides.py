"""The two servers that benches/openbao.sh compares: makes keys, checks answers, writes the load.

    python3 sides.py openbao --url URL --ca FILE --to FOLDER
    python3 sides.py jinku   --url URL --ca FILE --to FOLDER

Both must listen already. OpenBao is new: it is initialised with one share, unsealed, given the transit
engine, an `aes256-gcm96` and an `hmac` key, a KV store of version 2, and a token whose policy allows the
paths of the load and nothing else. Jinku is a development installation: an AES-256 and a MAC key are made through its REST.

From the environment, for Jinku:

    JINKU_USER_TOKEN   bearer token of the unit that uses the keys
    JINKU_OWNER_TOKEN  bearer token of the unit that makes them
    JINKU_KEY_KIND     `kind` of the encrypting key
    JINKU_MAC_KIND     `kind` of the MAC key
    JINKU_PURPOSE      sent as `jinku-purpose`; empty: no such header

Into FOLDER go the files that load.lua reads: `headers`, and one for each case (`encrypt`,
`encrypt-batch`, `decrypt`, `decrypt-batch`, `mac`, `store`). Every body of every case is sent once before, and
its answer must be whole: as many items as asked for, none an error, and what was encrypted must come
back by decrypt. Exit code 1 and one line say what was not so.
"""

import argparse
import base64
import http.client
import json
import os
import secrets
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

PLAINTEXT_BYTES = 64
BATCH = 100
# Different bodies a case has. More than one, so that no cache of one answer is measured.
SINGLES = 64
BATCHES = 8
# Records that are stored: each has a place of its own, so that no server waits for itself.
RECORDS = 4096
ANSWER_SECONDS_MAX = 20


class Wrong(Exception):
    """What keeps the benchmark from being one."""


class Wire:
    """One HTTPS connection that sends and receives JSON."""

    def __init__(self, url, ca):
        self.address = urlsplit(url)
        self.trust = ssl.create_default_context(cafile=ca)
        self.headers = {}
        self.connect()

    def connect(self):
        self.connection = http.client.HTTPSConnection(
            self.address.hostname, self.address.port, timeout=ANSWER_SECONDS_MAX, context=self.trust
        )

    def send(self, method, path, body, headers=None):
        """Status, parsed body, and the bytes of the whole answer."""
        sent = {"Content-Type": "application/json", **self.headers, **(headers or {})}
        try:
            self.connection.request(method, path, json.dumps(body), sent)
            answer = self.connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Wrong(f"{method} {path}: no answer ({error})") from error
        try:
            parsed = json.loads(received) if received else None
        except ValueError:
            parsed = None
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n\r\n"
        fields = sum(len(f"{name}: {value}\r\n") for name, value in answer.headers.items())
        return answer.status, parsed, len(head) + fields + len(received)

    def want(self, method, path, body, headers=None):
        """The parsed body and the answer's bytes; anything but a success ends the benchmark."""
        status, parsed, size = self.send(method, path, body, headers)
        if not 200 <= status < 300:
            raise Wrong(f"{method} {path}: {status} {json.dumps(parsed)[:300]}")
        return parsed, size


class OpenBao:
    """Transit: https://openbao.org/api-docs/secret/transit/"""

    paths = {
        "encrypt": "/v1/transit/encrypt/bench",
        "decrypt": "/v1/transit/decrypt/bench",
        "mac": "/v1/transit/hmac/bench-mac",
    }
    single = {"encrypt": ("plaintext", "ciphertext"), "decrypt": ("ciphertext", "plaintext"), "mac": ("input", "hmac")}

    def __init__(self, wire):
        self.wire = wire
        shares, _ = wire.want("PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        wire.want("PUT", "/v1/sys/unseal", {"key": shares["keys"][0]})
        root = {"X-Vault-Token": shares["root_token"]}
        self.become_active(root)
        wire.want("POST", "/v1/sys/mounts/transit", {"type": "transit"}, root)
        wire.want("POST", "/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, root)
        wire.want("POST", "/v1/transit/keys/bench", {"type": "aes256-gcm96"}, root)
        wire.want("POST", "/v1/transit/keys/bench-mac", {"type": "hmac", "key_size": 32}, root)
        rules = "".join(f'path "{path[4:]}" {{ capabilities = ["update"] }}\n' for path in self.paths.values())
        rules += 'path "kv/data/*" { capabilities = ["create", "update"] }\n'
        wire.want("PUT", "/v1/sys/policies/acl/bench", {"policy": rules}, root)
        wanted = {"policies": ["bench"], "no_default_policy": True, "ttl": "1h"}
        token, _ = wire.want("POST", "/v1/auth/token/create", wanted, root)
        wire.headers = {"X-Vault-Token": token["auth"]["client_token"]}
        status, _, _ = wire.send("GET", "/v1/sys/mounts", {})
        if status != 403:
            raise Wrong("OpenBao's token may do more than its policy says")

    def become_active(self, root):
        """An unsealed node elects itself first: asked every 0.1 s, as its health endpoint is meant."""
        begun = time.monotonic()
        while True:
            status, _, _ = self.wire.send("GET", "/v1/sys/health", {}, root)
            if status == 200:
                return
            if time.monotonic() - begun > ANSWER_SECONDS_MAX:
                raise Wrong(f"OpenBao is not active {ANSWER_SECONDS_MAX} s after its unseal")
            time.sleep(0.1)

    def stored(self, number, value):
        """A record of one value that outlives a power cut, as each server keeps one."""
        return f"/v1/kv/data/{number}", {"data": {"value": value}}

    def batch(self, act, values):
        return {"batch_input": [{self.single[act][0]: value} for value in values]}

    def fields(self, answer):
        return answer["data"]

    def items(self, answer):
        return answer["data"]["batch_results"]


class Jinku:
    """The key service."""

    single = {"encrypt": ("plaintext", "ciphertext"), "decrypt": ("ciphertext", "plaintext"), "mac": ("message", "mac")}

    def __init__(self, wire):
        self.wire = wire
        purpose = os.environ.get("JINKU_PURPOSE")
        extra = {"Jinku-Purpose": purpose} if purpose else {}
        owner = {"Authorization": f"Bearer {os.environ['JINKU_OWNER_TOKEN']}", **extra}
        encrypting = self.make(os.environ["JINKU_KEY_KIND"], "bench", owner)
        signing = self.make(os.environ["JINKU_MAC_KIND"], "bench-mac", owner)
        self.paths = {
            "encrypt": f"/v1/keys/{encrypting}/encrypt",
            "decrypt": f"/v1/keys/{encrypting}/decrypt",
            "mac": f"/v1/keys/{signing}/mac",
        }
        wire.headers = {"Authorization": f"Bearer {os.environ['JINKU_USER_TOKEN']}", **extra}

    def make(self, kind, alias, owner):
        made, _ = self.wire.want("POST", "/v1/keys", {"kind": kind, "alias": alias, "tags": {"group": "revenue"}}, owner)
        return made["key"]["id"]

    def stored(self, number, value):
        return "/v1/tokenize", {"domain": "city", "items": [{"class": "name", "value": f"{number} {value}"}]}

    def batch(self, act, values):
        return {"items": [{self.single[act][0]: value} for value in values]}

    def fields(self, answer):
        return answer

    def items(self, answer):
        return answer["items"]


class Writer:
    """Sends each body of a case once, checks the answers, and writes the case's file."""

    def __init__(self, side, folder):
        self.side = side
        self.folder = folder

    def case(self, name, act, groups):
        """`groups` are lists of values, one list a body; a list of one is a single request. Yields the results."""
        path = self.side.paths[act]
        field, wanted = self.side.single[act]
        bodies, results, sizes = [], [], []
        for values in groups:
            body = {field: values[0]} if len(values) == 1 else self.side.batch(act, values)
            answer, size = self.side.wire.want("POST", path, body)
            items = [self.side.fields(answer)] if len(values) == 1 else self.side.items(answer)
            if len(items) != len(values) or not all(item.get(wanted) for item in items):
                raise Wrong(f"{name}: the answer to {len(values)} items is not whole")
            bodies.append(json.dumps(body, separators=(",", ":")))
            results.append([item[wanted] for item in items])
            sizes.append(size)
        lines = [path, str(sum(sizes) // len(sizes)), *bodies]
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return results


    def store(self):
        """A new KV store upgrades itself first, and says so."""
        lines, sizes = [], []
        for number, values in enumerate(plaintexts(RECORDS, 1)):
            path, body = self.side.stored(number, values[0])
            if number < SINGLES:
                sizes.append(self.side.wire.want("POST", path, body)[1])
            lines.append(f"{path} {json.dumps(body, separators=(',', ':'))}")
        head = [path, str(sum(sizes) // len(sizes))]
        (self.folder / "store").write_text("\n".join([*head, *lines]) + "\n")


def plaintexts(groups, length):
    def value():
        return base64.b64encode(secrets.token_bytes(PLAINTEXT_BYTES)).decode()

    return [[value() for _ in range(length)] for _ in range(groups)]


def write(side, folder):
    writer = Writer(side, folder)
    for suffix, groups in [("", plaintexts(SINGLES, 1)), ("-batch", plaintexts(BATCHES, BATCH))]:
        sealed = writer.case(f"encrypt{suffix}", "encrypt", groups)
        if writer.case(f"decrypt{suffix}", "decrypt", sealed) != groups:
            raise Wrong(f"decrypt{suffix}: what came back is not what was encrypted")
    messages = plaintexts(SINGLES, 1)
    if writer.case("mac", "mac", messages) != writer.case("mac", "mac", messages):
        raise Wrong("mac: two tags of one message differ")
    writer.store()
    headers = [f"{name}: {value}" for name, value in side.wire.headers.items()]
    (folder / "headers").write_text("\n".join(headers) + "\n")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("side", choices=["openbao", "jinku"])
    options.add_argument("--url", required=True)
    options.add_argument("--ca", required=True)
    options.add_argument("--to", required=True, type=Path)
    chosen = options.parse_args()
    try:
        wire = Wire(chosen.url, chosen.ca)
        side = OpenBao(wire) if chosen.side == "openbao" else Jinku(wire)
        write(side, chosen.to)
    except (Wrong, KeyError) as error:
        sys.exit(f"{chosen.side}: {error}")


main()
