"""Decides every cell of a policy set with the official Cedar engine, on entities translated here, and compares it with
what the vault says of it. Arguments: the set's directory, and `jinku policy diff EMPTY SET --json`."""
import json, pathlib, re, sys, tomllib

import cedarpy

folder, table = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
read = lambda name: tomllib.loads((folder / name).read_text())
classes, units = read("classes.toml"), read("units.toml")
schema = (folder / "schema.cedarschema").read_text()
texts = [path.read_text() for path in sorted((folder / "policies").glob("*.cedar"))]
links = read("links.toml").get("link", []) if (folder / "links.toml").exists() else []

# Policies, each with its own text; of templates what links make of them.
policies, templates = [], {}
for text in texts:
    bare = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    for policy in re.split(r"(?<=;)\s*(?=@id|$)", bare):
        if "?principal" in policy or "?resource" in policy:
            templates[re.search(r'@id\("([^"]*)"\)', policy)[1]] = policy
        elif policy.strip():
            policies.append(policy)
for link in links:
    policy = templates[link["template"]].replace(link["template"], link["id"], 1)
    policy = policy.replace("?principal", f'Jinku::Unit::"{link.get("unit")}"')
    policy = policy.replace("?resource", f'Jinku::DataClass::"{link.get("class")}"')
    if "purpose" in link:
        policy = policy.rstrip().removesuffix(";") + f' when {{ context.purpose == "{link["purpose"]}" }};'
    policies.append(policy)
whole = "\n".join(policies)
verdict = cedarpy.validate_policies(whole, schema)
assert verdict.validation_passed, verdict.errors

levels = {label: place for place, label in enumerate(classes["levels"])}
known = {one["name"]: one for one in classes["class"]}
places = [(domain["name"], name) for domain in classes["domain"] for name in domain["classes"]]
entity = lambda kind, name, attrs: {"uid": {"type": f"Jinku::{kind}", "id": name}, "attrs": attrs, "parents": []}
people = [entity("Unit", one["name"], {
    "clearance": levels[one["clearance"]],
    "compartments": one.get("compartments", []),
    "groups": one.get("groups", []),
}) for one in units["unit"]]

# Groups of actions, as the schema has them.
actions, groups = [], {}
for names, inside in re.findall(r"^\s*action ([\w, ]+?)\s*(?:in \[(\w+)\]\s*)?(?:appliesTo|;)", schema, flags=re.M):
    for name in names.split(","):
        groups[name.strip()] = inside
for name, inside in groups.items():
    parents = [{"type": "Jinku::Action", "id": inside}] if inside else []
    actions.append({"uid": {"type": "Jinku::Action", "id": name}, "attrs": {}, "parents": parents})

# What the vault says: a cell that is in no row is denied.
said, purposes, acts, ways = {}, {"any-other-purpose"}, set(), {""}
for row in table["changed"]:
    ways.add(row["way"])
    acts.add(row["act"])
    purposes.add(row["purpose"] or "any-other-purpose")
    for unit in row["units"]:
        for place in row["classes"]:
            said[unit, row["act"], row["purpose"], row["way"], place] = row["new"]
spoken = re.findall(r'"([a-z-]+)"', "".join(re.findall(r"context\.purpose == \"[^\"]*\"|\[[^\]]*\]\.contains", whole)))
purposes.update(spoken)

def context(act, purpose, way):
    facts = {"proof": "mutual-tls"}
    words = [word for word in way.split(", ") if word]
    for word in words:
        if word.startswith("through "):
            facts |= {"gateway": word.removeprefix("through "), "proof": "access-token"}
        elif word == "access-token":
            facts["proof"] = word
    if act not in ("Tokenize", "PlantHoneytoken"):
        facts["purpose"] = purpose
    if act.startswith("Detokenize"):
        facts["delivery"] = next((word for word in words if word in ("sealed", "ticket")), "inline")
    return facts

VIEWS = [("DetokenizePlain", "plain"), ("DetokenizeMasked", "masked"), ("DetokenizeToken", "token")]
cells = 0
for domain, name in places:
    one = known[name]
    thing = entity("DataClass", name, {
        "level": levels[one["level"]], "compartments": one.get("compartments", []), "domain": domain,
    })
    entities = json.dumps([*people, *actions, thing])
    asked = []
    for person in people:
        unit = person["uid"]["id"]
        for act in sorted(acts):
            for purpose in sorted(purposes) if act not in ("Tokenize", "PlantHoneytoken") else [""]:
                for way in sorted(ways):
                    for action, answer in VIEWS if act == "detokenize" else [(act, "permitted")]:
                        request = {
                            "principal": f'Jinku::Unit::"{unit}"',
                            "action": f'Jinku::Action::"{action}"',
                            "resource": f'Jinku::DataClass::"{name}"',
                            "context": context(action, purpose, way),
                        }
                        asked.append(((unit, act, purpose, way, f"{domain}/{name}"), answer, request))
    answers = cedarpy.is_authorized_batch([request for _, _, request in asked], whole, entities)
    found = {}
    for (cell, answer, _), result in zip(asked, answers, strict=True):
        assert not result.diagnostics.errors, result.diagnostics.errors
        if result.allowed:
            found.setdefault(cell, answer)
    for cell, _, _ in asked:
        unit, act, purpose, way, place = cell
        # A way and a purpose that no row of the vault tells apart are as the plainest.
        expected = said.get(cell) or said.get((unit, act, purpose, "", place) if act != "detokenize" else cell, "denied")
        expected = said.get(cell, "denied") if act == "detokenize" else expected
        assert expected == found.get(cell, "denied"), (cell, expected, found.get(cell, "denied"))
    cells += len({cell for cell, _, _ in asked})
print(cells)
