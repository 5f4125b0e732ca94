import type { KindHooks } from "../../kind/kind.ts";
import type { Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dns1035Label, dnsSubdomain } from "../../validation/names.ts";

const STATUSES = ["True", "False", "Unknown"];

function checkName(found: Findings, { metadata, spec }: KubeObject): void {
  const [group, version] = [textAt(spec, "group"), textAt(spec, "version")];
  const name = `${version}.${group}`;
  if (metadata.name !== name)
    found.invalid(
      "metadata.name",
      metadata.name ?? "",
      `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`,
    );
  if (group !== "") found.name(dnsSubdomain, "spec.group", group);
  else if (version !== "v1")
    found.required("spec.group", "only v1 may have an empty group and it better be legacy kube");
  found.name(dns1035Label, "spec.version", version);
}

function checkPriority(found: Findings, spec: Json | undefined, field: string, most: number): void {
  const value = Number(valueAt(spec, field) ?? 0);
  if (value <= 0 || value > most) found.invalid(`spec.${field}`, value, `must be positive and less than ${most}`);
}

function checkService(found: Findings, spec: Json | undefined): void {
  const isInsecure = valueAt(spec, "insecureSkipTLSVerify") === true;
  const { length } = Buffer.from(textAt(spec, "caBundle"), "base64");
  const service = valueAt(spec, "service") ?? undefined;
  const field = "spec.insecureSkipTLSVerify";
  if (service === undefined) {
    if (length > 0) found.invalid("spec.caBundle", `${length} bytes`, "local APIServices may not have a caBundle");
    if (isInsecure) found.invalid(field, true, "local APIServices may not have insecureSkipTLSVerify");
    return;
  }
  for (const name of ["namespace", "name"]) if (textAt(service, name) === "") found.required(`spec.service.${name}`);
  const port = Number(valueAt(service, "port") ?? 443);
  if (port < 1 || port > 65535)
    found.invalid("spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive");
  if (isInsecure && length > 0) found.invalid(field, true, "may not be true if caBundle is present");
}

/** `apiregistration/v1.APIService` */
export const apiService: KindHooks = {
  validatesAll: true,
  validate: (object) =>
    findingsOf((found) => {
      const { spec } = object;
      checkName(found, object);
      checkPriority(found, spec, "groupPriorityMinimum", 20_000);
      checkPriority(found, spec, "versionPriority", 1000);
      checkService(found, spec);
    }),
  validateStatus: ({ status }) =>
    findingsOf((found) => {
      for (const [index, condition] of listAt(status, "conditions").entries())
        found.oneOf(`status.conditions[${index}].status`, textAt(condition, "status"), STATUSES);
    }),
};
