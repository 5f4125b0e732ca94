import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { addQuantities, formatQuantity, parseQuantity, type Quantity, ZERO } from "../../object/quantity.ts";
import type { Findings } from "../../validation/findings.ts";
import { checkItems } from "./devices.ts";

const MOST_VALUES = 10;
const ONE = 1_000_000_000n;

const quantityAt = (value: Json | undefined, field: string): Quantity | undefined =>
  parseQuantity(textAt(value, field));
/** Whole, rounded up. */
const wholeOf = ({ nano }: Quantity): bigint => nano / ONE + (nano > 0n && nano % ONE !== 0n ? 1n : 0n);

function checkValues(found: Findings, at: string, policy: Json, most: Quantity, fallback: Quantity): void {
  const values = listAt(policy, "validValues").map((one) => parseQuantity(textAt(one)) ?? ZERO);
  const shown = values.map(formatQuantity);
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    if (before !== undefined && before.nano > value.nano)
      found.invalid(`${at}[${index}]`, formatQuantity(value), "values must be sorted in ascending order");
  }
  checkItems(
    found,
    at,
    shown,
    MOST_VALUES,
    (one, here) => {
      const value = parseQuantity(textAt(one));
      if (value !== undefined && value.nano > most.nano)
        found.invalid(here, one, `option is larger than capacity value: ${formatQuantity(most)}`);
    },
    (one) => String(wholeOf(parseQuantity(textAt(one)) ?? ZERO)),
  );
  if (values.length > MOST_VALUES || !values.some(({ nano }) => nano === fallback.nano))
    found.invalid(at, formatQuantity(fallback), "default value is not valid according to the requestPolicy");
}

function checkStep(found: Findings, at: string, value: Quantity, least: Quantity, step: Quantity): void {
  const size = wholeOf(step);
  if (size !== 0n && (wholeOf(value) - wholeOf(least)) % size === 0n) return;
  const why = `value is not a multiple of a given step (${formatQuantity(step)}) from (${formatQuantity(least)})`;
  found.invalid(at, formatQuantity(value), why);
}

function checkRange(found: Findings, at: string, range: Json, capacity: Quantity, fallback: Quantity): void {
  const [least, most, step] = ["min", "max", "step"].map((field) => quantityAt(range, field));
  if (least === undefined) {
    found.required(`${at}.min`, "required when validRange is defined");
    return;
  }
  const shown = formatQuantity;
  const larger = `larger than capacity value: ${shown(capacity)}`;
  if (least.nano > capacity.nano) found.invalid(`${at}.min`, shown(least), `min is ${larger}`);
  if (fallback.nano < least.nano)
    found.invalid(`${at}.min`, shown(fallback), `default is less than min: ${shown(least)}`);
  if (most !== undefined) {
    if (least.nano > most.nano) found.invalid(`${at}.max`, shown(least), `min is larger than max: ${shown(most)}`);
    if (most.nano > capacity.nano) found.invalid(`${at}.max`, shown(most), `max is ${larger}`);
    if (fallback.nano > most.nano)
      found.invalid(`${at}.max`, shown(fallback), `default is more than max: ${shown(most)}`);
  }
  if (step === undefined) return;
  const next = addQuantities(least, step);
  if (next.nano > capacity.nano) found.invalid(`${at}.step`, shown(step), `one step ${shown(next)} is ${larger}`);
  checkStep(found, `${at}.step`, fallback, least, step);
  if (most !== undefined) checkStep(found, `${at}.step`, most, least, step);
}

/** `resource/v1.DeviceCapacity`; how much of it is asked for can be said of devices that are shared. */
export function checkCapacity(found: Findings, at: string, capacity: Json, isShared: boolean): void {
  const policy = valueAt(capacity, "requestPolicy");
  if (!isObject(policy)) return;
  const here = `${at}.requestPolicy`;
  if (!isShared) {
    found.forbidden(here, "allowMultipleAllocations must be true");
    return;
  }
  const [values, range] = [listAt(policy, "validValues"), valueAt(policy, "validRange")];
  const field = values.length > 0 ? "validValues" : "validRange";
  if (values.length > 0 && isObject(range)) {
    const why = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    found.forbidden(here, why);
    return;
  }
  if (values.length === 0 && !isObject(range)) return;
  const [most, fallback] = [quantityAt(capacity, "value") ?? ZERO, quantityAt(policy, "default")];
  if (fallback === undefined) found.required(`${here}.default`, `required when ${field} is defined`);
  else if (values.length > 0) checkValues(found, `${here}.validValues`, policy, most, fallback);
  else if (isObject(range)) checkRange(found, `${here}.validRange`, range, most, fallback);
}
