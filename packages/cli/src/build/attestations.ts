import type { RemoteBuild } from "@boxship/build";
import { FlagError } from "../failure.ts";

type Attestations = NonNullable<RemoteBuild["attestations"]>;

/** What `--provenance`, `--sbom` and `--attest` ask for; undefined for nothing. */
export function parseAttestations(flags: {
  readonly provenance: string;
  readonly sbom: string;
  readonly attest: readonly string[];
}): Attestations | undefined {
  const asked = new Map<string, ReadonlyMap<string, string>>();
  for (const text of flags.attest) {
    const fields = fieldsOf("--attest", text);
    const type = fields.get("type");
    if (type === undefined) throw new FlagError("--attest: type is required");
    asked.set(type, fields);
  }
  if (flags.provenance !== "") asked.set("provenance", shortFields("--provenance", flags.provenance));
  if (flags.sbom !== "") asked.set("sbom", shortFields("--sbom", flags.sbom));
  let found: Attestations | undefined;
  for (const [type, fields] of asked) {
    if (fields.get("disabled") === "true") continue;
    if (type === "provenance") found = { ...found, provenance: provenanceOf(fields) };
    else if (type === "sbom") found = { ...found, sbom: sbomOf(fields) };
    else throw new FlagError(`an attestation of type ${type} is not supported`);
  }
  return found;
}

/** `true`, `false`, or fields. */
function shortFields(flag: string, text: string): ReadonlyMap<string, string> {
  if (text === "true" || text === "1") return new Map();
  if (text === "false" || text === "0") return new Map([["disabled", "true"]]);
  return fieldsOf(flag, text);
}

function fieldsOf(flag: string, text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(",").map((field): [string, string] => {
      const equals = field.indexOf("=");
      if (equals < 1) throw new FlagError(`${flag}: ${JSON.stringify(field)} is not NAME=VALUE`);
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}

function sbomOf(fields: ReadonlyMap<string, string>): true {
  for (const name of fields.keys())
    if (!["type", "disabled"].includes(name)) throw new FlagError(`--sbom: unknown field ${name}`);
  return true;
}

function provenanceOf(fields: ReadonlyMap<string, string>): NonNullable<Attestations["provenance"]> {
  const [mode = "min", version = "v0.2", builderId] = [
    fields.get("mode"),
    fields.get("version"),
    fields.get("builder-id"),
  ];
  if (mode !== "min" && mode !== "max") throw new FlagError(`--provenance: mode is min or max, not ${mode}`);
  if (version !== "v0.2" && version !== "v1")
    throw new FlagError(`--provenance: version is v0.2 or v1, not ${version}`);
  for (const name of fields.keys()) {
    if (!["type", "mode", "version", "builder-id", "disabled"].includes(name))
      throw new FlagError(`--provenance: unknown field ${name}`);
  }
  return { mode, version, ...(builderId === undefined ? {} : { builderId }) };
}
