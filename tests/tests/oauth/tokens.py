# Tokens and proofs, made by PyPI's pyjwt, authlib and jwcrypto. Reads {"keys": PEMs or null, "wanted": [...]} and
# prints {"keys": PEMs, "jwks": {...}, "thumbprints": {...}, "made": [...]}.
import base64, hashlib, hmac, json, sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwcrypto import jwk as cjwk, jws as cjws


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def generate(kind):
    if kind.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def pem(key):
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none).decode()


def public(text, kid=None, alg=None):
    key = json.loads(cjwk.JWK.from_pem(text.encode()).export_public())
    key.pop("kid", None)
    if kid:
        key["kid"] = kid
    if alg:
        key["alg"] = alg
    return key


def by_pyjwt(claims, header, text):
    return jwt.encode(claims, text, algorithm=header["alg"], headers=header)


def by_authlib(claims, header, text):
    from authlib.jose import JsonWebToken
    made = JsonWebToken(["EdDSA", "ES256", "RS256", "PS256"]).encode(header, claims, text.encode())
    return made.decode()


def by_jwcrypto(claims, header, text):
    made = cjws.JWS(json.dumps(claims))
    made.allowed_algs = ["EdDSA", "ES256", "RS256", "PS256"]
    made.add_signature(cjwk.JWK.from_pem(text.encode()), protected=json.dumps(header))
    return made.serialize(compact=True)


def by_hand(claims, header, signature):
    parts = [b64(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return signed + "." + b64(signature(signed.encode()))


LIBRARIES = {"pyjwt": by_pyjwt, "authlib": by_authlib, "jwcrypto": by_jwcrypto}


def made(wish, keys):
    claims, header = wish["claims"], dict(wish["header"])
    text = keys[wish["key"]]
    if wish.get("own_jwk"):
        header["jwk"] = public(text)
    if wish.get("private_jwk"):
        header["jwk"] = json.loads(cjwk.JWK.from_pem(text.encode()).export_private())
    if wish.get("jwk_of"):
        header["jwk"] = public(keys[wish["jwk_of"]])
    if wish.get("token"):
        claims["ath"] = b64(hashlib.sha256(wish["token"].encode()).digest())
    if wish["by"] == "none":
        return by_hand(claims, header, lambda signed: b"")
    if wish["by"] == "hmac":
        # RFC 8725 section 2.1: the public key taken as a secret.
        key = cjwk.JWK.from_pem(text.encode()).export_to_pem()
        return by_hand(claims, header, lambda signed: hmac.new(key, signed, hashlib.sha256).digest())
    return LIBRARIES[wish["by"]](claims, header, text)


asked = json.load(sys.stdin)
keys = asked.get("keys") or {}
for name in asked.get("generate", []):
    keys[name] = pem(generate(name))
algs = {"ed": "EdDSA", "ec": "ES256", "rs": "RS256", "ps": "PS256"}
jwks = {"keys": [public(text, name, algs[name[:2]]) for name, text in keys.items()]}
prints = {name: cjwk.JWK.from_pem(text.encode()).thumbprint() for name, text in keys.items()}
tokens = [made(wish, keys) for wish in asked.get("wanted", [])]
json.dump({"keys": keys, "jwks": jwks, "thumbprints": prints, "made": tokens}, sys.stdout)
