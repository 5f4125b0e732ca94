import { InvalidArgument } from "@boxship/base";

/** Kernels know none above: -1 in 32 bits means "no change". */
const LAST_ID = 2 ** 32 - 2;

/** A number of an enumeration, whose numbers begin at 0. @throws InvalidArgument for one that is none of it */
export function knownValue(field: string, value: number, values: Readonly<Record<string, number>>): number {
  if (Object.values(values).includes(value)) return value;
  throw new InvalidArgument(`${value} is no value of ${field}`);
}

/** The id of a user or a group. @throws InvalidArgument for one that none can have */
export function userId(field: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= LAST_ID) return value;
  throw new InvalidArgument(`${field} ${value} is no id of a user or a group`);
}
