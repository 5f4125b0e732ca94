import { isObject, type Json } from "../object/json.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import { formatQuantity, parseQuantity, type Quantity } from "../object/quantity.ts";
import type { Findings } from "./findings.ts";
import { dnsLabel, qualifiedName } from "./names.ts";

const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
const COUNTED = [
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
];
const QUOTA = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  "requests.storage",
  ...COUNTED,
]);
const STANDARD = new Set([...QUOTA, "storage"]);
const POD_LEVEL = ["cpu", "memory"];

const isHugePages = (name: string): boolean => name.startsWith("hugepages-");
const isQuotaHugePages = (name: string): boolean => isHugePages(name) || name.startsWith("requests.hugepages-");
export const isStandardQuota = (name: string): boolean => QUOTA.has(name) || isQuotaHugePages(name);
export const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");
export const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith("requests.") && qualifiedName(`requests.${name}`).length === 0;
const isInteger = (name: string): boolean => COUNTED.includes(name) || isExtended(name);
export const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePages(name);

/** @returns whether it is a name at all */
function checkResourceName(found: Findings, field: string, name: string): boolean {
  const before = found.all.length;
  found.name(qualifiedName, field, name);
  if (found.all.length === before && !name.includes("/") && !STANDARD.has(name) && !isQuotaHugePages(name))
    found.invalid(field, name, "must be a standard resource type or fully qualified");
  return found.all.length === before;
}

export function checkAnyResource(found: Findings, field: string, name: string): void {
  checkResourceName(found, field, name);
}

/** Of what a container asks for. */
export function checkContainerResource(found: Findings, field: string, name: string): void {
  checkResourceName(found, field, name);
  if (!name.includes("/")) {
    if (!COMPUTE.includes(name) && !isHugePages(name))
      found.invalid(field, name, "must be a standard resource for containers");
  } else if (!isNative(name) && !isExtended(name))
    found.invalid(field, name, "doesn't follow extended resource name standard");
}

/** Of what a pod as a whole asks for. */
export function checkPodResource(found: Findings, field: string, name: string): void {
  if (!checkResourceName(found, field, name)) return;
  if (!POD_LEVEL.includes(name) && !isHugePages(name)) found.notSupported(field, name, ["cpu", "hugepages-", "memory"]);
}

/** Of what a quota limits. */
export function checkQuotaResource(found: Findings, field: string, name: string): void {
  checkResourceName(found, field, name);
  if (!name.includes("/") && !isStandardQuota(name))
    found.invalid(field, name, "must be a standard resource for quota");
}

export function checkNonNegative(found: Findings, field: string, amount: Json | undefined): void {
  const quantity = parseQuantity(textAt(amount));
  if (quantity !== undefined && quantity.nano < 0n)
    found.invalid(field, formatQuantity(quantity), "must be greater than or equal to 0");
}

/** Of what is stored: an amount is no less than nothing, and shown in whole bytes. */
export function checkBasicAmount(found: Findings, field: string, amount: Json | undefined): void {
  const quantity = parseQuantity(textAt(amount));
  // Parts of a byte count as one, away from zero.
  const bytes = quantity === undefined ? 0n : quantity.nano / 1_000_000_000n;
  if (quantity === undefined || quantity.nano >= 0n) return;
  const whole = bytes * 1_000_000_000n === quantity.nano ? bytes : bytes - 1n;
  found.invalid(field, Number(whole), "must be a valid resource quantity");
}

export function checkPositiveQuantity(found: Findings, field: string, amount: Json | undefined): void {
  const quantity = parseQuantity(textAt(amount));
  if (quantity !== undefined && quantity.nano <= 0n)
    found.invalid(field, formatQuantity(quantity), "must be greater than zero");
}

/** What is counted is a whole number, and nothing is less than nothing. */
export function checkAmount(found: Findings, field: string, name: string, amount: Json | undefined): void {
  checkNonNegative(found, field, amount);
  const quantity = parseQuantity(textAt(amount));
  if (quantity === undefined || !isInteger(name)) return;
  if (quantity.nano % 1_000_000_000n !== 0n) found.invalid(field, formatQuantity(quantity), "must be an integer");
}

/** The entries of a `ResourceList`. */
export const resourcesOf = (list: Json | undefined): readonly (readonly [name: string, amount: Json | undefined])[] =>
  isObject(list) ? Object.entries(list) : [];

type CheckName = (found: Findings, field: string, name: string) => void;

/** What a quota or a limit says, by resource. */
export function checkResourceList(found: Findings, field: string, list: Json | undefined, check: CheckName): void {
  for (const [name, amount] of resourcesOf(list)) {
    check(found, `${field}[${name}]`, name);
    checkAmount(found, `${field}[${name}]`, name, amount);
  }
}

export interface RequirementOptions {
  readonly check?: CheckName;
  /** Of the pod's resource claims. */
  readonly claims?: ReadonlySet<string>;
  /** An object had some before: huge pages need not be whole. @default false */
  readonly anyHugePages?: boolean;
}

/** `core/v1.ResourceRequirements` */
export function checkRequirements(
  found: Findings,
  at: string,
  requirements: Json | undefined,
  { check = checkContainerResource, claims = new Set(), anyHugePages = false }: RequirementOptions = {},
): void {
  if (!isObject(requirements)) return;
  const limits = resourcesOf(requirements["limits"]);
  const requests = resourcesOf(requirements["requests"]);
  for (const [name, amount] of limits) {
    checkOne(found, `${at}.limits[${name}]`, name, amount);
    checkHugePages(found, `${at}.limits[${name}]`, name, amount, anyHugePages);
  }
  for (const [name, amount] of requests) {
    checkOne(found, `${at}.requests[${name}]`, name, amount);
    checkOvercommit(found, at, name, amount, valueAt(requirements, "limits", name));
    checkHugePages(found, `${at}.requests[${name}]`, name, amount, anyHugePages);
  }
  const names = [...limits, ...requests].map(([name]) => name);
  if (names.some(isHugePages) && !names.some((name) => name === "cpu" || name === "memory"))
    found.forbidden(at, "HugePages require cpu or memory");
  const wanted = listAt(requirements, "claims");
  if (wanted.length > 0) checkClaimNames(found, `${at}.claims`, wanted, claims);

  function checkOne(into: Findings, field: string, name: string, amount: Json | undefined): void {
    check(into, field, name);
    checkAmount(into, field, name, amount);
  }
}

const quantityOf = (amount: Json | undefined): Quantity | undefined => parseQuantity(textAt(amount));

function checkOvercommit(
  found: Findings,
  at: string,
  name: string,
  amount: Json | undefined,
  limit: Json | undefined,
): void {
  if (limit === undefined) {
    if (!mayOvercommit(name)) found.required(`${at}.limits`, "Limit must be set for non overcommitable resources");
    return;
  }
  const [asked, most] = [quantityOf(amount), quantityOf(limit)];
  if (asked === undefined || most === undefined) return;
  const [shown, bound] = [formatQuantity(asked), `${name} limit of ${formatQuantity(most)}`];
  if (asked.nano !== most.nano && !mayOvercommit(name))
    found.invalid(`${at}.requests`, shown, `must be equal to ${bound}`);
  else if (asked.nano > most.nano) found.invalid(`${at}.requests`, shown, `must be less than or equal to ${bound}`);
}

function checkHugePages(found: Findings, field: string, name: string, amount: Json | undefined, any: boolean): void {
  if (any || !isHugePages(name)) return;
  const [size, asked] = [parseQuantity(name.slice("hugepages-".length)), quantityOf(amount)];
  if (asked === undefined) return;
  const isSize = size !== undefined && size.nano > 0n && size.nano % 1_000_000_000n === 0n;
  if (isSize && asked.nano % size.nano === 0n) return;
  const shown = formatQuantity(asked);
  found.invalid(field, shown, `${shown} is not positive integer multiple of ${name}`);
}

/** Which of the pod's claims a container uses. */
function checkClaimNames(found: Findings, at: string, wanted: readonly Json[], known: ReadonlySet<string>): void {
  const seen = new Set<string>();
  for (const [index, claim] of wanted.entries()) {
    const here = `${at}[${index}]`;
    const [name, request] = [textAt(claim, "name"), textAt(claim, "request")];
    if (name === "") {
      found.required(here);
      continue;
    }
    if (seen.has(name)) found.duplicate(here, name);
    else {
      const key = request === "" ? name : `${name}/${request}`;
      if (request !== "") found.name(dnsLabel, `${here}.request`, request);
      if (seen.has(key)) found.duplicate(here, key);
      else if (request === "" && [...seen].some((one) => one.startsWith(`${name}/`))) found.duplicate(here, name);
      seen.add(key);
    }
    if (known.has(name)) continue;
    const names = known.size === 0 ? " which is empty" : `: ${[...known].toSorted().join(", ")}`;
    found.notFound(here, name, `must be one of the names in pod.spec.resourceClaims${names}`);
  }
}
