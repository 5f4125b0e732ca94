import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { checkCanonicalNetwork, parseNetwork } from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsSubdomain, pathSegment } from "../../validation/names.ts";

function checkParent(found: Findings, parent: Json): void {
  const at = "spec.parentRef";
  const text = (field: string): string => textAt(parent, field);
  if (text("group") !== "") found.name(dnsSubdomain, `${at}.group`, text("group"));
  found.requiredName(pathSegment, `${at}.resource`, text("resource"));
  found.requiredName(pathSegment, `${at}.name`, text("name"));
  if (text("namespace") !== "") found.name(pathSegment, `${at}.namespace`, text("namespace"));
}

/** `networking/v1.IPAddress` */
export const ipAddress: KindHooks = {
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      const parent = valueAt(spec, "parentRef");
      if (isObject(parent)) checkParent(found, parent);
      else found.required("spec.parentRef");
      if (old !== undefined) found.immutable("spec.parentRef", parent, valueAt(old, "spec", "parentRef"));
    }),
};

function checkNetworks(found: Findings, spec: Json | undefined): void {
  const field = "spec.cidrs";
  const networks = listAt(spec, "cidrs").map((one) => textAt(one));
  if (networks.length === 0) found.required(field, "at least one CIDR required");
  else if (networks.length > 2) found.invalid(field, spec, "may only hold up to 2 values");
  else {
    for (const [index, text] of networks.entries()) checkCanonicalNetwork(found, `${field}[${index}]`, text);
    const [first, second] = networks.map((text) => parseNetwork(text)?.address.family);
    if (networks.length === 2 && first !== undefined && first === second) {
      const why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
      found.invalid(field, networks, why);
    }
  }
}

/** A second network may be added, and that is all. */
function checkChange(found: Findings, spec: Json | undefined, before: readonly Json[]): void {
  const now = listAt(spec, "cidrs");
  const same = (index: number): void => found.immutable(`spec.cidrs[${index}]`, now[index], before[index]);
  if (now.length === before.length) for (const index of before.keys()) same(index);
  else if (before.length === 1 && now.length === 2) {
    same(0);
    checkNetworks(found, spec);
  } else found.invalid("spec.cidrs", [...now], "field is immutable");
}

/** `networking/v1.ServiceCIDR` */
export const serviceCidr: KindHooks = {
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      if (old === undefined) checkNetworks(found, spec);
      else checkChange(found, spec, listAt(old, "spec", "cidrs"));
    }),
};
