import type { KindHooks } from "../kind/kind.ts";
import type { Json } from "../object/json.ts";
import { type KubeObject, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";
import { checkName, dns1035Label, dnsSubdomain } from "../validation/names.ts";
import { portNumber } from "./pod-template.ts";

/** `apiregistration/v1.APIService` */
export const apiService: KindHooks = { validate: validateApiService };

function validateApiService({ metadata, spec }: KubeObject): FieldError[] {
  const [group, version] = [textAt(spec, "group"), textAt(spec, "version")];
  const name = `${version}.${group}`;
  const errors: FieldError[] = [];
  if (metadata.name !== name) {
    const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
    errors.push(invalid("metadata.name", metadata.name, why));
  }
  if (group !== "") errors.push(...checkName(dnsSubdomain, "spec.group", group));
  else if (version !== "v1")
    errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  errors.push(...checkName(dns1035Label, "spec.version", version));
  errors.push(...priority(spec, "groupPriorityMinimum", 20_000), ...priority(spec, "versionPriority", 1000));
  return [...errors, ...validateService(spec)];
}

function priority(spec: Json | undefined, field: string, most: number): readonly FieldError[] {
  const value = Number(valueAt(spec, field) ?? 0);
  return value > 0 && value <= most ? [] : [invalid(`spec.${field}`, value, `must be positive and less than ${most}`)];
}

function validateService(spec: Json | undefined): readonly FieldError[] {
  const isInsecure = valueAt(spec, "insecureSkipTLSVerify") === true;
  const hasBundle = textAt(spec, "caBundle") !== "";
  const service = valueAt(spec, "service");
  if (service === undefined || service === null) {
    return [
      ...(hasBundle ? [invalid("spec.caBundle", "<bytes>", "local APIServices may not have a caBundle")] : []),
      ...(isInsecure
        ? [invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify")]
        : []),
    ];
  }
  return [
    ...["namespace", "name"]
      .filter((field) => textAt(service, field) === "")
      .map((field) => required(`spec.service.${field}`)),
    ...portNumber(service, "port", "spec.service"),
    ...(isInsecure && hasBundle
      ? [invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present")]
      : []),
  ];
}
