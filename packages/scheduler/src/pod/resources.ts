import { parseQuantity, quantityNumber } from "@boxship/api";
import type { Container, PodSpec, Quantities } from "./types.ts";

/**
 * Amounts of resources. `cpu` in thousandths of a core, `memory` and `ephemeral` in bytes, others as they are counted:
 * whole numbers below 2^53, so that they are compared without big integers.
 */
export interface Resources {
  cpu: number;
  memory: number;
  ephemeral: number;
  /** Others by name, e.g. `nvidia.com/gpu`, `hugepages-2Mi`. */
  readonly others: Map<string, number>;
}

/** What a container counts as when it asks for nothing, so that such pods spread, too. */
const UNASKED = { cpu: 100, memory: 200 * 1024 * 1024 };

export const noResources = (): Resources => ({ cpu: 0, memory: 0, ephemeral: 0, others: new Map() });

/** A quantity as a whole number of `unit`s, rounded up. */
function units(quantity: string | number, perOne: number): number {
  const parsed = parseQuantity(String(quantity));
  return parsed === undefined ? 0 : Math.ceil(quantityNumber(parsed) * perOne);
}

export function resourcesOf(quantities: Quantities = {}): Resources {
  const found = noResources();
  for (const [name, quantity] of Object.entries(quantities)) {
    if (name === "cpu") found.cpu = units(quantity, 1000);
    else if (name === "memory") found.memory = units(quantity, 1);
    else if (name === "ephemeral-storage") found.ephemeral = units(quantity, 1);
    else if (name !== "pods") found.others.set(name, units(quantity, 1));
  }
  return found;
}

export function amountOf(resources: Resources, name: string): number {
  if (name === "cpu") return resources.cpu;
  if (name === "memory") return resources.memory;
  if (name === "ephemeral-storage") return resources.ephemeral;
  return resources.others.get(name) ?? 0;
}

export function addResources(to: Resources, more: Resources, sign: 1 | -1 = 1): void {
  to.cpu += sign * more.cpu;
  to.memory += sign * more.memory;
  to.ephemeral += sign * more.ephemeral;
  for (const [name, amount] of more.others) to.others.set(name, (to.others.get(name) ?? 0) + sign * amount);
}

/** The larger one of each. */
function raise(to: Resources, other: Resources): void {
  to.cpu = Math.max(to.cpu, other.cpu);
  to.memory = Math.max(to.memory, other.memory);
  to.ephemeral = Math.max(to.ephemeral, other.ephemeral);
  for (const [name, amount] of other.others) to.others.set(name, Math.max(to.others.get(name) ?? 0, amount));
}

const copy = ({ cpu, memory, ephemeral, others }: Resources): Resources => ({
  cpu,
  memory,
  ephemeral,
  others: new Map(others),
});

/** What a pod asks for, as it is filtered by, and as it is scored by. */
export interface Requests {
  readonly asked: Resources;
  /** With {@link UNASKED} for containers that ask for no processor or memory. */
  readonly scored: { readonly cpu: number; readonly memory: number };
}

/**
 * The sum of the containers and of the init containers that stay (`restartPolicy: Always`), or what one of the others needs
 * beside those that started before it, whichever is more, and the overhead. Requests of the pod as a whole come first.
 */
export function requestsOf(spec: PodSpec): Requests {
  const asked = total(spec, (container) => resourcesOf(container.resources?.requests));
  const withDefaults = total(spec, (container) => {
    const requests = resourcesOf(container.resources?.requests);
    const given = container.resources?.requests ?? {};
    if (!Object.hasOwn(given, "cpu")) requests.cpu = UNASKED.cpu;
    if (!Object.hasOwn(given, "memory")) requests.memory = UNASKED.memory;
    return requests;
  });
  return { asked, scored: { cpu: withDefaults.cpu, memory: withDefaults.memory } };
}

function total(spec: PodSpec, requestsOfContainer: (container: Container) => Resources): Resources {
  const sum = noResources();
  for (const container of spec.containers) addResources(sum, requestsOfContainer(container));
  const staying = noResources();
  const most = noResources();
  for (const container of spec.initContainers ?? []) {
    const needs = requestsOfContainer(container);
    if (container.restartPolicy === "Always") {
      addResources(sum, needs);
      addResources(staying, needs);
      raise(most, staying);
    } else {
      addResources(needs, staying);
      raise(most, needs);
    }
  }
  raise(sum, most);
  replaceByPod(sum, spec.resources?.requests);
  addResources(sum, resourcesOf(spec.overhead));
  return sum;
}

/** Requests of the whole pod count in place of its containers'. */
function replaceByPod(sum: Resources, quantities: Quantities | undefined): void {
  if (quantities === undefined) return;
  const whole = resourcesOf(quantities);
  if (Object.hasOwn(quantities, "cpu")) sum.cpu = whole.cpu;
  if (Object.hasOwn(quantities, "memory")) sum.memory = whole.memory;
  for (const [name, amount] of whole.others) sum.others.set(name, amount);
}

export const copyResources = copy;
