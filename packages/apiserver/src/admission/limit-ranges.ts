import {
  addQuantities,
  forbidden,
  formatQuantity,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  parseQuantity,
  type Quantity,
  setField,
  textAt,
  valueAt,
} from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { allObjects } from "../storage/read-objects.ts";
import { containersOf, newPodSpec } from "./pods.ts";

const ANNOTATION = "kubernetes.io/limit-ranger";

/** LimitRanges: what containers get that ask for nothing, and how much containers, pods and claims may ask for. */
export function limitRanges(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "LimitRanger",
    async mutate(request) {
      const spec = newPodSpec(request);
      if (spec === undefined) return;
      const notes: string[] = [];
      for (const item of await itemsFor(context(), request.namespace)) {
        if (textAt(item, "type") === "Container") giveDefaults(item, spec, notes);
      }
      if (notes.length === 0 || request.object === null) return;
      const { metadata } = request.object;
      metadata.annotations = {
        ...metadata.annotations,
        [ANNOTATION]: `LimitRanger plugin set: ${notes.join("; ")}`,
      };
    },
    async validate(request) {
      const { kind, name, namespace, object } = request;
      const spec = newPodSpec(request);
      const claim = spec === undefined ? claimOf(request) : undefined;
      if (spec === undefined && claim === undefined) return;
      const errors: string[] = [];
      for (const item of await itemsFor(context(), namespace)) {
        if (spec !== undefined) errors.push(...podErrors(item, spec));
        else if (claim !== undefined && textAt(item, "type") === "PersistentVolumeClaim")
          errors.push(...claimErrors(item, claim));
      }
      if (errors.length === 0) return;
      const why = errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`;
      throw forbidden(kind, object?.metadata.name ?? name, why ?? "");
    },
  };
}

async function itemsFor(context: ServerContext, namespace: string): Promise<readonly Json[]> {
  const all = await allObjects(context, "", "limitranges");
  return all.filter(({ metadata }) => metadata.namespace === namespace).flatMap((one) => listAt(one, "spec", "limits"));
}

function claimOf({ kind, operation, subresource, object }: AdmissionRequest): Amounts | undefined {
  if (kind.group !== "" || kind.resource !== "persistentvolumeclaims" || subresource !== "") return undefined;
  if (operation !== "CREATE" && operation !== "UPDATE") return undefined;
  return amountsAt(object, "spec", "resources", "requests");
}

function giveDefaults(item: Json, spec: JsonObject, notes: string[]): void {
  for (const [list, what] of [
    ["containers", "container"],
    ["initContainers", "init container"],
  ] as const) {
    for (const container of listAt(spec, list)) {
      if (!isObject(container)) continue;
      for (const [from, to, word] of [
        ["defaultRequest", "requests", "request"],
        ["default", "limits", "limit"],
      ] as const) {
        const given = fillIn(container, to, valueAt(item, from));
        if (given.length > 0) notes.push(`${given.join(", ")} ${word} for ${what} ${textAt(container, "name")}`);
      }
    }
  }
}

/** @returns the names of what was given */
function fillIn(container: JsonObject, field: "requests" | "limits", defaults: Json | undefined): readonly string[] {
  if (!isObject(defaults)) return [];
  const resources = isObject(container["resources"]) ? container["resources"] : {};
  const amounts = isObject(resources[field]) ? resources[field] : {};
  const given = Object.keys(defaults)
    .filter((name) => !Object.hasOwn(amounts, name))
    .toSorted();
  if (given.length === 0) return given;
  for (const name of given) setField(amounts, name, defaults[name] ?? null);
  container["resources"] = { ...resources, [field]: amounts };
  return given;
}

type Amounts = ReadonlyMap<string, Quantity>;

function amountsAt(value: Json | undefined, ...path: readonly string[]): Amounts {
  const found = valueAt(value, ...path);
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(isObject(found) ? found : {})) {
    const quantity = parseQuantity(textAt(text));
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

function podErrors(item: Json, spec: JsonObject): readonly string[] {
  const type = textAt(item, "type");
  if (type === "Container") {
    return containersOf(spec).flatMap((one) =>
      errorsOf(item, amountsAt(one, "resources", "requests"), amountsAt(one, "resources", "limits")),
    );
  }
  if (type !== "Pod") return [];
  return errorsOf(item, podAmounts(spec, "requests"), podAmounts(spec, "limits"));
}

/** All containers together; where that is more, the largest of those that run before them, one after another. */
export function podAmounts(spec: JsonObject, field: "requests" | "limits"): Amounts {
  const total = new Map<string, Quantity>();
  const own = (one: Json): Amounts => amountsAt(one, "resources", field);
  const beside = listAt(spec, "initContainers").filter((one) => textAt(one, "restartPolicy") === "Always");
  for (const one of [...listAt(spec, "containers"), ...beside]) {
    for (const [name, amount] of own(one)) {
      const before = total.get(name);
      total.set(name, before === undefined ? amount : addQuantities(before, amount));
    }
  }
  for (const one of listAt(spec, "initContainers")) {
    for (const [name, amount] of own(one)) if (amount.nano > (total.get(name)?.nano ?? -1n)) total.set(name, amount);
  }
  if (field === "requests" || total.size > 0) {
    for (const [name, amount] of amountsAt(spec, "overhead")) {
      const before = total.get(name);
      if (before !== undefined || field === "requests")
        total.set(name, before === undefined ? amount : addQuantities(before, amount));
    }
  }
  return total;
}

function errorsOf(item: Json, requests: Amounts, limits: Amounts): readonly string[] {
  const type = textAt(item, "type");
  const errors: string[] = [];
  const told = (quantity: Quantity | undefined): string => (quantity === undefined ? "" : formatQuantity(quantity));
  for (const [name, least] of amountsAt(item, "min")) {
    const [request, limit] = [requests.get(name), limits.get(name)];
    const start = `minimum ${name} usage per ${type} is ${told(least)}`;
    if (request === undefined) errors.push(`${start}.  No request is specified`);
    else if (request.nano < least.nano) errors.push(`${start}, but request is ${told(request)}`);
    else if (limit !== undefined && limit.nano < least.nano) errors.push(`${start}, but limit is ${told(limit)}`);
  }
  for (const [name, most] of amountsAt(item, "max")) {
    const [request, limit] = [requests.get(name), limits.get(name)];
    const start = `maximum ${name} usage per ${type} is ${told(most)}`;
    if (limit === undefined) errors.push(`${start}.  No limit is specified`);
    else if (limit.nano > most.nano) errors.push(`${start}, but limit is ${told(limit)}`);
    else if (request !== undefined && request.nano > most.nano)
      errors.push(`${start}, but request is ${told(request)}`);
  }
  for (const [name, ratio] of amountsAt(item, "maxLimitRequestRatio")) {
    const [request, limit] = [requests.get(name), limits.get(name)];
    const start = `${name} max limit to request ratio per ${type} is ${told(ratio)}`;
    if (request === undefined || request.nano === 0n)
      errors.push(`${start}, but no request is specified or request is 0`);
    else if (limit === undefined || limit.nano === 0n) errors.push(`${start}, but no limit is specified or limit is 0`);
    else if (limit.nano * 1_000_000_000n > ratio.nano * request.nano)
      errors.push(`${start}, but provided ratio is ${(Number(limit.nano) / Number(request.nano)).toFixed(6)}`);
  }
  return errors;
}

function claimErrors(item: Json, requests: Amounts): readonly string[] {
  const errors: string[] = [];
  const asked = requests.get("storage");
  const [least, most] = [amountsAt(item, "min").get("storage"), amountsAt(item, "max").get("storage")];
  const words = (which: string, bound: Quantity): string =>
    `${which} storage usage per PersistentVolumeClaim is ${formatQuantity(bound)}`;
  const request = asked === undefined ? "" : formatQuantity(asked);
  if (least !== undefined && (asked === undefined || asked.nano < least.nano))
    errors.push(
      `${words("minimum", least)}${asked === undefined ? ".  No request is specified" : `, but request is ${request}`}`,
    );
  if (most !== undefined && asked !== undefined && asked.nano > most.nano)
    errors.push(`${words("maximum", most)}, but request is ${request}`);
  return errors;
}
