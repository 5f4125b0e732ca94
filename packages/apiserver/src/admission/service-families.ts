import { type FieldError, invalid, type JsonObject, serviceAddressErrors, textAt } from "@boxship/api";
import { familyOf, type IpFamily, type ServiceNetworks } from "./service-networks.ts";

/** The address of a headless service. */
export const NONE = "None";
const SINGLE = "SingleStack";
const REQUIRED = "RequireDualStack";
const PREFERRED = "PreferDualStack";

/**
 * Decides which families of addresses a service has, from what is asked for and what it had: sets `ipFamilyPolicy`,
 * `ipFamilies`, and `clusterIPs` as far as they are known. What it has, only its policy takes away or adds to.
 *
 * @param old the service's specification before; undefined for a new one
 */
export function settleFamilies(
  spec: JsonObject,
  old: JsonObject | undefined,
  networks: ServiceNetworks,
): readonly FieldError[] {
  const addresses = addressesOf(spec);
  const early = addressErrors(spec, old, addresses);
  if (early.length > 0) return early;
  if (old !== undefined && isUnchangedPreference(spec, old, addresses)) {
    write(spec, addresses, listOf(old, "ipFamilies") as IpFamily[]);
    return [];
  }
  const isHeadless = addresses[0] === NONE;
  const isFree = isHeadless && !hasSelector(spec);
  spec["ipFamilyPolicy"] ||= textAt(old, "ipFamilyPolicy") || (isFree ? REQUIRED : SINGLE);
  const kept = keep(spec, old, addresses);
  const families = [...kept.families];
  const errors = [...kept.errors, ...policyErrors(spec, kept.addresses, families)];
  for (const [index, address] of kept.addresses.entries()) {
    if (address === NONE || families[index] !== undefined) continue;
    const family = familyOf(address);
    if (networks.families.includes(family)) families.push(family);
    else
      errors.push(invalid(`spec.clusterIPs[${index}]`, [...addresses], `${family} is not configured on this cluster`));
  }
  if (errors.length > 0) return errors;
  if (!isFree) errors.push(...unconfigured(spec, families, networks));
  if (errors.length > 0) return errors;
  if (families.length === 0) families.push(networks.families[0] ?? "IPv4");
  if (spec["ipFamilyPolicy"] !== SINGLE && families.length === 1 && (isFree || networks.families.length === 2)) {
    families.push(families[0] === "IPv4" ? "IPv6" : "IPv4");
  }
  write(spec, kept.addresses, families);
  return [];
}

function write(spec: JsonObject, addresses: readonly string[], families: readonly IpFamily[]): void {
  spec["clusterIPs"] = [...addresses];
  spec["clusterIP"] = addresses[0] ?? "";
  spec["ipFamilies"] = [...families];
}

/** Those that are named, in either field. */
function addressesOf(spec: JsonObject): readonly string[] {
  const list = listOf(spec, "clusterIPs");
  const first = textAt(spec, "clusterIP");
  return list.length > 0 || first === "" ? list : [first];
}

export function listOf(spec: JsonObject | undefined, field: string): readonly string[] {
  const list = spec?.[field];
  return Array.isArray(list) ? list.map(String) : [];
}

function hasSelector(spec: JsonObject): boolean {
  return Object.keys((spec["selector"] as JsonObject | undefined) ?? {}).length > 0;
}

/** What is wrong with what is given: of the addresses the first may be in either field. */
function addressErrors(
  spec: JsonObject,
  old: JsonObject | undefined,
  addresses: readonly string[],
): readonly FieldError[] {
  const told = textAt(spec, "clusterIP") || (addresses[0] ?? "");
  return serviceAddressErrors({ ...spec, clusterIP: told, clusterIPs: [...addresses] }, old);
}

/** A cluster that got or lost a family does not change services that only prefer two. */
function isUnchangedPreference(spec: JsonObject, old: JsonObject, addresses: readonly string[]): boolean {
  if (textAt(old, "ipFamilyPolicy") !== PREFERRED || (textAt(spec, "ipFamilyPolicy") || PREFERRED) !== PREFERRED) {
    return false;
  }
  spec["ipFamilyPolicy"] = PREFERRED;
  const families = listOf(spec, "ipFamilies");
  const before = listOf(old, "ipFamilies");
  return isSame(addresses, listOf(old, "clusterIPs")) && (families.length === 0 || isSame(families, before));
}

const isSame = (one: readonly string[], other: readonly string[]): boolean => one.join() === other.join();

/** What stays of what it had; less only where its policy says so. */
function keep(spec: JsonObject, old: JsonObject | undefined, addresses: readonly string[]) {
  const families = listOf(spec, "ipFamilies") as readonly IpFamily[];
  const errors: FieldError[] = [];
  const policy = spec["ipFamilyPolicy"];
  const [hadAddresses, hadFamilies] = [listOf(old, "clusterIPs"), listOf(old, "ipFamilies")];
  if (old === undefined) return { addresses, families, errors };
  if (policy === SINGLE) {
    return {
      addresses: isSame(addresses, hadAddresses) ? addresses.slice(0, 1) : addresses,
      families: isSame(families, hadFamilies) ? families.slice(0, 1) : families,
      errors,
    };
  }
  const less = (what: string): FieldError =>
    invalid("spec.ipFamilyPolicy", policy, `must be 'SingleStack' to release the secondary ${what}`);
  if (hadAddresses.length === 2 && addresses.length === 1) errors.push(less("cluster IP"));
  if (hadFamilies.length === 2 && families.length === 1) errors.push(less("IP family"));
  return { addresses, families, errors };
}

function policyErrors(spec: JsonObject, addresses: readonly string[], families: readonly string[]): FieldError[] {
  if (spec["ipFamilyPolicy"] !== SINGLE) return [];
  const refuse = (what: string): FieldError =>
    invalid(
      "spec.ipFamilyPolicy",
      SINGLE,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...(addresses.length === 2 ? [refuse("cluster IPs")] : []),
    ...(families.length === 2 ? [refuse("IP families")] : []),
  ];
}

function unconfigured(spec: JsonObject, families: readonly IpFamily[], networks: ServiceNetworks): FieldError[] {
  const errors: FieldError[] = [];
  if (spec["ipFamilyPolicy"] === REQUIRED && networks.families.length < 2) {
    const why = "this cluster is not configured for dual-stack services";
    errors.push(invalid("spec.ipFamilyPolicy", REQUIRED, why));
  }
  for (const [index, family] of families.entries()) {
    if (networks.families.includes(family)) continue;
    errors.push(invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  }
  return errors;
}
