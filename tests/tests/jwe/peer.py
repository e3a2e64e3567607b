# JWEs, made and opened by PyPI's jwcrypto. Reads {"key": base64url, "header": {...}, "plaintext": text} or
# {"key": base64url, "jwe": text}; prints {"jwe": text} or {"plaintext": text, "header": {...}}.
import json
import sys

from jwcrypto import jwe, jwk

asked = json.load(sys.stdin)
key = jwk.JWK(kty="oct", k=asked["key"])
if "jwe" in asked:
    message = jwe.JWE()
    message.deserialize(asked["jwe"], key)
    print(json.dumps({"plaintext": message.payload.decode(), "header": message.jose_header}))
else:
    message = jwe.JWE(asked["plaintext"].encode(), json.dumps(asked["header"]))
    message.add_recipient(key)
    print(json.dumps({"jwe": message.serialize(compact=True)}))
