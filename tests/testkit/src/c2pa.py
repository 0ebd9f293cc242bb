"""What verifiers that are not ours say of files: reads paths from argv after the trust anchor ("-": none), prints a JSON list."""
import json
import sys

import c2pa
import encypher_c2pa

anchor, files = sys.argv[1], sys.argv[2:]
pem = None if anchor == "-" else open(anchor).read()
# The purposes that a signer's certificate may have: those of C2PA's own trust list.
settings = {
    "verify": {"verify_trust": pem is not None},
    "trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.36"},
}
if pem:
    settings["trust"]["trust_anchors"] = pem
context = c2pa.Context(c2pa.Settings.from_dict(settings))


def by_encypher(path):
    tool = "encypher-c2pa " + encypher_c2pa.__version__
    try:
        report = encypher_c2pa.verify(path, trust_pem=pem, no_default_trust=True, telemetry=False)
    except ValueError as error:
        return {"tool": tool, "intact": False, "trusted": False, "report": str(error)}
    return {
        "tool": tool,
        "intact": report["integrity"] == "valid",
        "trusted": report["trust"]["status"] == "valid_for_supplied_material",
        "report": report,
    }


def by_c2pa_rs(path):
    tool = "c2pa-python " + c2pa.__version__
    try:
        report = json.loads(c2pa.Reader(path, context=context).json())
    except c2pa.C2paError as error:
        return {"tool": tool, "intact": False, "trusted": False, "report": str(error)}
    state = report.get("validation_state")
    return {"tool": tool, "intact": state in ("Valid", "Trusted"), "trusted": state == "Trusted", "report": report}


print(json.dumps([[by_encypher(path), by_c2pa_rs(path)] for path in files]))
