import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { FieldError } from "../../status/field-error.ts";
import { checkAddress, parseLoosely } from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";

const FAMILIES = ["IPv4", "IPv6"];
const POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const NONE = "None";
const AT = { addresses: "spec.clusterIPs", families: "spec.ipFamilies", policy: "spec.ipFamilyPolicy" } as const;

const textsAt = (spec: Json | undefined, field: string): readonly string[] =>
  listAt(spec, field).map((one) => textAt(one));
const isNamed = (spec: Json | undefined): boolean => textAt(spec, "type") === "ExternalName";
const isHeadless = (addresses: readonly string[]): boolean => addresses.length === 1 && addresses[0] === NONE;

function checkFamilies(found: Findings, spec: Json | undefined): void {
  const families = textsAt(spec, "ipFamilies");
  for (const [index, family] of families.entries()) {
    found.oneOf(`${AT.families}[${index}]`, family, FAMILIES);
    if (families.indexOf(family) < index) found.duplicate(`${AT.families}[${index}]`, family);
  }
  const policy = valueAt(spec, "ipFamilyPolicy");
  if (policy !== "") found.oneOf(AT.policy, policy, POLICIES);
}

/**
 * `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` of a service, as far as they are given.
 *
 * @param old undefined for a new one: addresses that were there may stay, however they are written
 */
export function checkServiceAddresses(found: Findings, spec: Json | undefined, old: Json | undefined): void {
  if (isNamed(spec)) return;
  const addresses = textsAt(spec, "clusterIPs");
  const [first, shown] = [textAt(spec, "clusterIP"), [...addresses]];
  if (first === "") {
    if (addresses.length > 0) found.invalid(AT.addresses, shown, "must be empty when `clusterIP` is not specified");
  } else if (addresses.length === 0) found.required(AT.addresses);
  else if (addresses[0] !== first) found.invalid(AT.addresses, shown, "first value must match `clusterIP`");
  checkFamilies(found, spec);
  const count = found.all.length;
  const known = textsAt(old, "clusterIPs");
  for (const [index, address] of addresses.entries()) {
    if (index > 0 || address !== NONE) checkAddress(found, `${AT.addresses}[${index}]`, address, known);
    else if (addresses.length > 1) found.invalid(AT.addresses, shown, "'None' must be the first and only value");
  }
  const isWrong = found.all.length > count;
  if (addresses.length > 2) found.invalid(AT.addresses, shown, "may only hold up to 2 values");
  if (isWrong || isHeadless(addresses)) return;
  const own = addresses.map((address) => (parseLoosely(address)?.family === 6 ? "IPv6" : "IPv4"));
  if (addresses.length > 1 && new Set(own).size < 2)
    found.invalid(AT.addresses, shown, "may specify no more than one IP for each IP family");
  for (const [index, family] of textsAt(spec, "ipFamilies").entries()) {
    const is = own[index];
    if (is === undefined || is === family || !FAMILIES.includes(family)) continue;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
    found.invalid(`${AT.addresses}[${index}]`, addresses[index], why);
  }
}

/** As {@link checkServiceAddresses}, before the service is given what it lacks. */
export const serviceAddressErrors = (spec: Json, old: Json | undefined): readonly FieldError[] =>
  findingsOf((found) => checkServiceAddresses(found, spec, old));

interface Change {
  readonly field: string;
  readonly what: string;
  readonly now: readonly string[];
  readonly before: readonly string[];
}

/** What it has first stays; a second one comes and goes with the policy. */
function checkList(found: Findings, { field, what, now, before }: Change, spec: Json | undefined): void {
  const shown = [...now];
  const changed = "may not change once set";
  const at = (index: number): string => `${field}[${index}]`;
  if (now.length === before.length) {
    for (const [index, value] of before.entries())
      if (now[index] !== value) found.invalid(at(field === AT.addresses ? index : 0), shown, changed);
    return;
  }
  const shrinks = now.length < before.length;
  if (shrinks && textsAt(spec, "clusterIPs").length === 0)
    found.invalid(at(0), now.length === 0 ? null : shown, `primary ${what} can not be unset`);
  if (before.length > 0 && now.length > 0 && now[0] !== before[0]) found.invalid(at(0), shown, changed);
  const policy = valueAt(spec, "ipFamilyPolicy");
  if (shrinks && now.length === 1 && policy !== "SingleStack")
    found.invalid(AT.policy, policy, `must be set to 'SingleStack' when releasing the secondary ${what}`);
}

export function checkAddressChanges(found: Findings, { spec }: KubeObject, { spec: before }: KubeObject): void {
  if (!isObject(spec) || !isObject(before) || isNamed(spec) || isNamed(before)) return;
  const [now, old] = [spec, before].map((one) => textsAt(one, "clusterIPs"));
  if (now === undefined || old === undefined) return;
  const [is, was] = [isHeadless(now), isHeadless(old)];
  if (!(is && was)) checkList(found, { field: AT.addresses, what: "clusterIP", now, before: old }, spec);
  if (is || was) return;
  const families = { now: textsAt(spec, "ipFamilies"), before: textsAt(before, "ipFamilies") };
  checkList(found, { field: AT.families, what: "ipFamily", ...families }, spec);
}
